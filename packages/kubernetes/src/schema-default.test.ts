import fc from "fast-check";
import { expect, test } from "vitest";
import type { Schema } from "./schema.ts";
import { applyDefaults } from "./schema-default.ts";

const schema: Schema = {
  type: "object",
  properties: {
    a: { type: "integer", default: 1 },
    nested: { type: "object", default: {}, properties: { b: { type: "string", default: "x" } } },
    absent: { type: "object", properties: { b: { default: 1 } } },
    plain: { type: "string" },
    maybe: { type: "string", nullable: true, default: "y" },
    list: { type: "array", items: { ref: "Port" } },
    map: { type: "object", additionalProperties: { type: "integer", default: 7 } },
  },
};
const resolve = (): Schema => ({ type: "object", properties: { protocol: { default: "TCP" } } });

test("fills in defaults deeply", () => {
  expect(applyDefaults({}, schema, { resolve })).toEqual({ a: 1, nested: { b: "x" }, maybe: "y" });
  expect(applyDefaults({ list: [{}, { protocol: "UDP" }] }, schema, { resolve })).toMatchObject({ list: [{ protocol: "TCP" }, { protocol: "UDP" }] });
});

test("treats null as Kubernetes does", () => {
  const value = applyDefaults({ a: null, maybe: null, nested: null, map: { k: null } }, schema, { resolve });
  expect(value).toEqual({ a: 1, maybe: null, nested: { b: "x" }, map: { k: 7 } });
});

test("never shares the schema's default", () => {
  const of: Schema = { properties: { list: { default: [] } } };
  expect(applyDefaults<{ list?: unknown }>({}, of).list).not.toBe(of.properties?.["list"]?.default);
});

test("follows schemas that refer to themselves", () => {
  const tree: Schema = { type: "object", properties: { size: { default: 1 }, child: { ref: "Tree" }, children: { items: { ref: "Tree" } } } };
  expect(applyDefaults({ child: { children: [{}] } }, { ref: "Tree" }, { resolve: () => tree })).toEqual({
    size: 1,
    child: { size: 1, children: [{ size: 1 }] },
  });
});

test("a second pass returns the same reference, and the input is never mutated", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("a", "nested", "absent", "plain", "maybe", "list", "map"), fc.jsonValue()), (input) => {
      const before = structuredClone(input);
      const once = applyDefaults(input, schema, { resolve });
      expect(applyDefaults(once, schema, { resolve })).toBe(once);
      expect(structuredClone(input)).toEqual(before);
    }),
  );
});
