import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isApiError } from "./errors.ts";
import { labelSelectorFrom, parseLabelSelector } from "./label-selector.ts";

const labels = { app: "web", "example.com/tier": "gold", empty: "" };
const refusal = (run: () => unknown): boolean => {
  try {
    run();
    return false;
  } catch (error) {
    return isApiError(error, "BadRequest");
  }
};

describe("label selector", () => {
  it.each([
    ["", true],
    ["  ", true],
    ["app=web", true],
    ["app == web", true],
    ["app=api", false],
    ["app!=api", true],
    ["app!=web", false],
    ["missing!=x", true],
    ["missing=", false],
    ["empty=", true],
    ["empty=,app=web", true],
    ["app in (web, api)", true],
    ["app in(api)", false],
    ["app notin (web)", false],
    ["missing notin (x)", true],
    ["empty in ()", true],
    ["app", true],
    ["!app", false],
    ["! missing", true],
    ["toString", false],
    ["example.com/tier=gold,app in (web,api),!missing", true],
    ["app=web,example.com/tier=silver", false],
  ])("%j matches: %s", (text, expected) => expect(parseLabelSelector(text).matches(labels)).toBe(expected));

  it("treats absent labels as none", () => {
    expect(parseLabelSelector("!a").matches(undefined)).toBe(true);
    expect(parseLabelSelector("in in (x)").matches({ in: "x" })).toBe(true);
  });

  it.each([
    ",",
    "a,",
    ",a",
    "a=b,,c",
    "a b",
    "=b",
    "a=b=c",
    "a in",
    "a in (x",
    "a in x)",
    "ain (x)",
    "-a",
    "a/b/c",
    "A_/b",
    "a=-x",
    "a===b",
    "!a=b",
    "a>1",
    `a=${"x".repeat(64)}`,
  ])("refuses %j", (text) => expect(refusal(() => parseLabelSelector(text))).toBe(true));

  it("reads the object form", () => {
    const selector = labelSelectorFrom({
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "example.com/tier", operator: "In", values: ["gold"] },
        { key: "canary", operator: "DoesNotExist" },
      ],
    });
    expect(selector.matches(labels)).toBe(true);
    expect(selector.matches({ ...labels, canary: "yes" })).toBe(false);
    expect(labelSelectorFrom({}).matches(undefined)).toBe(true);
  });

  it.each([
    { key: "a", operator: "In" },
    { key: "a", operator: "Exists", values: ["x"] },
    { key: "a", operator: "Like", values: ["x"] },
    { key: "a b", operator: "Exists" },
  ])("refuses the expression %j", (expression) => expect(refusal(() => labelSelectorFrom({ matchExpressions: [expression] }))).toBe(true));

  it("either parses or refuses, never anything else", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "b", "=", "!", ",", " ", "(", ")", "in", "notin", "/", "."),
    });
    fc.assert(
      fc.property(text, (input) => {
        let selector;
        try {
          selector = parseLabelSelector(input);
        } catch (error) {
          return isApiError(error, "BadRequest");
        }
        return typeof selector.matches(labels) === "boolean";
      }),
    );
  });
});
