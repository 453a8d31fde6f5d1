import fc from "fast-check";
import specification from "json-patch-test-suite/spec_tests.json" with { type: "json" };
import others from "json-patch-test-suite/tests.json" with { type: "json" };
import { describe, expect, it } from "vitest";
import { ApiError } from "./errors.ts";
import { applyJsonPatch, parseJsonPointer } from "./json-patch.ts";

const failure = (document: unknown, patch: unknown): ApiError => {
  try {
    applyJsonPatch(document, patch);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error("the patch applied");
};

describe("JSON patch", () => {
  it.each<[unknown, unknown, unknown]>([
    [{ a: 1 }, { op: "add", path: "/b", value: 2 }, { a: 1, b: 2 }],
    [{ a: [1, 3] }, { op: "add", path: "/a/1", value: 2 }, { a: [1, 2, 3] }],
    [{ a: [1] }, { op: "add", path: "/a/-", value: [2] }, { a: [1, [2]] }],
    [{ a: [1] }, { op: "add", path: "/a/1", value: 2 }, { a: [1, 2] }],
    [{ a: 1 }, { op: "add", path: "/a", value: null }, { a: null }],
    [{ a: 1 }, { op: "add", path: "", value: [1] }, [1]],
    [{ a: 1, b: 2 }, { op: "remove", path: "/a" }, { b: 2 }],
    [{ a: [1, 2, 3] }, { op: "remove", path: "/a/1" }, { a: [1, 3] }],
    [{ a: [1, 2] }, { op: "replace", path: "/a/1", value: 9 }, { a: [1, 9] }],
    [{ a: 1 }, { op: "replace", path: "", value: 9 }, 9],
    [
      { a: { b: 1 }, c: {} },
      { op: "move", from: "/a/b", path: "/c/d" },
      { a: {}, c: { d: 1 } },
    ],
    [{ a: [1, 2, 3] }, { op: "move", from: "/a/0", path: "/a/2" }, { a: [2, 3, 1] }],
    [{ a: 1 }, { op: "move", from: "/a", path: "/a" }, { a: 1 }],
    [{ a: 1 }, { op: "move", from: "/a", path: "/ab" }, { ab: 1 }],
    [{ a: { b: 1 } }, { op: "copy", from: "/a", path: "/a/c" }, { a: { b: 1, c: { b: 1 } } }],
    [{ a: { x: 1, y: [2] } }, { op: "test", path: "/a", value: { y: [2], x: 1 } }, { a: { x: 1, y: [2] } }],
    [{ "a/b": { "m~n": 1, "": 2 } }, { op: "remove", path: "/a~1b/m~0n" }, { "a/b": { "": 2 } }],
    [{ "": 1 }, { op: "replace", path: "/", value: 2 }, { "": 2 }],
  ])("%j with %j is %j", (document, operation, expected) => expect(applyJsonPatch(document, [operation])).toEqual(expected));

  it.each<[unknown, string]>([
    [{ op: "add", path: "/x/y", value: 1 }, "Invalid"],
    [{ op: "add", path: "/n/y", value: 1 }, "Invalid"],
    [{ op: "add", path: "/a/3", value: 1 }, "Invalid"],
    [{ op: "add", path: "/a/01", value: 1 }, "Invalid"],
    [{ op: "remove", path: "/a/-" }, "Invalid"],
    [{ op: "remove", path: "/a/2" }, "Invalid"],
    [{ op: "remove", path: "" }, "Invalid"],
    [{ op: "replace", path: "/x", value: 1 }, "Invalid"],
    [{ op: "replace", path: "/toString", value: 1 }, "Invalid"],
    [{ op: "test", path: "/n", value: "1" }, "Invalid"],
    [{ op: "move", from: "/a", path: "/a/0" }, "Invalid"],
    [{ op: "copy", from: "/x", path: "/y" }, "Invalid"],
    [{ op: "add", path: "/b" }, "BadRequest"],
    [{ op: "add", path: "b", value: 1 }, "BadRequest"],
    [{ op: "add", path: "/~2", value: 1 }, "BadRequest"],
    [{ op: "add", path: "/__proto__", value: 1 }, "BadRequest"],
    [{ op: "add", path: "/__proto__/x", value: 1 }, "BadRequest"],
    [{ op: "move", path: "/b" }, "BadRequest"],
    [{ op: "merge", path: "/b" }, "BadRequest"],
    [{ op: "remove" }, "BadRequest"],
    [null, "BadRequest"],
  ])("refuses %j as %s", (operation, reason) => expect(failure({ a: [1, 2], n: 1 }, [operation]).reason).toBe(reason));

  it("refuses what is no list of operations", () => expect(failure({}, { op: "add" }).code).toBe(400));

  it("is atomic and names the operation that failed", () => {
    const document = { a: { b: 1 } };
    const error = failure(document, [
      { op: "replace", path: "/a/b", value: 2 },
      { op: "test", path: "/a/b", value: 1 },
    ]);
    expect(error.message).toBe('JSON patch operation 1 at "/a/b": the test failed: the value differs');
    expect(document).toEqual({ a: { b: 1 } });
  });

  it("copies deeply", () => {
    const patch = [
      { op: "copy", from: "/a", path: "/b" },
      { op: "add", path: "/b/x", value: 1 },
    ];
    expect(applyJsonPatch({ a: {} }, patch)).toEqual({ a: {}, b: { x: 1 } });
  });

  it("splits any escaped pointer into its tokens", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (tokens) => {
        const pointer = tokens.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
        expect(parseJsonPointer(pointer)).toEqual(tokens);
      }),
    );
  });
});

describe("json-patch-test-suite", () => {
  interface Case {
    readonly comment?: string;
    readonly doc: unknown;
    readonly patch?: unknown;
    readonly expected?: unknown;
    readonly error?: string;
    readonly disabled?: boolean;
  }
  const cases: readonly Case[] = [...specification, ...others];
  const active = cases.filter(({ patch, disabled }) => patch !== undefined && disabled !== true);

  it("has cases", () => expect(active.length).toBeGreaterThan(80));

  it.each(active.map((one) => [one.comment ?? JSON.stringify(one.patch), one] as const))("%s", (_, { doc, patch, expected, error }) => {
    if (error !== undefined) failure(doc, patch);
    else expect(applyJsonPatch(doc, patch)).toEqual(expected ?? doc);
  });
});

describe("an attacker's patch", () => {
  it("cannot double its way through the memory", () => {
    const copies = Array.from({ length: 60 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
    expect(failure({ a: ["x".repeat(1000)] }, copies).message).toContain("copies of more than 3145728 characters");
  });

  it("cannot dig deeper than any walk can follow", () => {
    const value: unknown = JSON.parse("[".repeat(400) + "]".repeat(400));
    const path = `/a${"/0".repeat(399)}/-`;
    const dig = [
      { op: "add", path: "/a", value },
      { op: "copy", from: "/a", path },
    ];
    expect(failure({}, dig)).toMatchObject({ reason: "BadRequest", message: expect.stringContaining("500 levels") });
  });

  it("has an end", () => {
    const tests = Array.from({ length: 10_001 }, () => ({ op: "test", path: "/a", value: 1 }));
    expect(failure({ a: 1 }, tests)).toMatchObject({ code: 413 });
  });
});
