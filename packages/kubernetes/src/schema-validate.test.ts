import fc from "fast-check";
import { expect, test } from "vitest";
import type { Schema } from "./schema.ts";
import { invalid, validate } from "./schema-validate.ts";

const cases: [string, unknown, Schema, string[]][] = [
  ["type", "a", { type: "integer" }, ['Invalid value: "string": f in body must be of type integer: "string"']],
  ["null", null, { type: "string" }, ['Invalid value: "null": f in body must be of type string: "null"']],
  ["nullable", null, { type: "string", nullable: true, enum: ["a"] }, []],
  ["integer as number", 1, { type: "number" }, []],
  ["int-or-string", true, { "x-kubernetes-int-or-string": true }, ['Invalid value: "boolean": f in body must be of type integer,string: "boolean"']],
  ["int-or-string ok", "50%", { "x-kubernetes-int-or-string": true }, []],
  ["enum", "c", { enum: ["a", "b"] }, ['Unsupported value: "c": supported values: "a", "b"']],
  ["minimum", 0, { minimum: 1 }, ["Invalid value: 0: f in body should be greater than or equal to 1"]],
  ["exclusive maximum", 3, { maximum: 3, exclusiveMaximum: true }, ["Invalid value: 3: f in body should be less than 3"]],
  ["multipleOf", 0.3, { multipleOf: 0.1 }, []],
  ["not multipleOf", 7, { multipleOf: 2 }, ["Invalid value: 7: f in body should be a multiple of 2"]],
  ["code points", "😀😀", { maxLength: 2 }, []],
  ["maxLength", "abc", { maxLength: 2 }, ["Too long: may not be more than 2 bytes"]],
  ["minLength", "", { minLength: 1 }, ['Invalid value: "": f in body should be at least 1 chars long']],
  ["pattern unanchored", "xaby", { pattern: "a.y?" }, []],
  ["pattern", "B", { pattern: "^[a-z]+$" }, ["Invalid value: \"B\": f in body should match '^[a-z]+$'"]],
  ["maxItems", [1, 2], { maxItems: 1 }, ["Too many: 2: must have at most 1 items"]],
  ["set", ["a", "b", "a"], { "x-kubernetes-list-type": "set" }, ['Duplicate value: "a"']],
  ["map", [{ n: 1 }, { n: 1 }], { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"] }, ['Duplicate value: {"n":1}']],
  ["required", {}, { required: ["a"] }, ["Required value"]],
  ["minProperties", {}, { minProperties: 1 }, ["Invalid value: {}: f in body should have at least 1 properties"]],
  ["oneOf", 1, { oneOf: [{}, {}] }, ['Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives']],
  ["not", 1, { not: { type: "integer" } }, ['Invalid value: "": "f" must not validate the schema (not)']],
  ["anyOf", 1, { anyOf: [{ minimum: 2 }, { maximum: 1 }] }, []],
];

test.each(cases)("%s", (_, value, schema, messages) => {
  expect(validate(value, schema, { path: "f" }).map(({ message }) => message)).toEqual(messages);
});

test("allOf reports what failed and that it failed", () => {
  const causes = validate(1, { allOf: [{ minimum: 2 }] }, { path: "f" });
  expect(causes.map(({ message }) => message)).toEqual([
    "Invalid value: 1: f in body should be greater than or equal to 2",
    'Invalid value: "": "f" must validate all the schemas (allOf). None validated',
  ]);
});

test("names the field, through refs, lists and maps", () => {
  const schema: Schema = { properties: { spec: { properties: { items: { items: { ref: "Item" } } } } } };
  const resolve = (): Schema => ({ required: ["name"], additionalProperties: { type: "string" } });
  const causes = validate({ spec: { items: [{ name: "a" }, { b: 1 }] } }, schema, { resolve });
  expect(causes.map(({ field, reason }) => [field, reason])).toEqual([
    ["spec.items[1].name", "FieldValueRequired"],
    ["spec.items[1].b", "FieldValueTypeInvalid"],
  ]);
});

test("writes the 422 as Kubernetes does", () => {
  const causes = validate({}, { required: ["a", "b"] }, { path: "spec" });
  expect(invalid("Deployment", "apps", "web", causes.slice(0, 1)).message).toBe('Deployment.apps "web" is invalid: spec.a: Required value');
  const error = invalid("Pod", "", "p", causes);
  expect(error.message).toBe('Pod "p" is invalid: [spec.a: Required value, spec.b: Required value]');
  expect(error.toStatus()).toMatchObject({ code: 422, reason: "Invalid", details: { name: "p", kind: "Pod", causes } });
});

test("a list-type set is valid exactly when its items differ", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (items) => {
      const count = validate(items, { "x-kubernetes-list-type": "set" }).length;
      expect(count).toBe(items.length - new Set(items).size);
    }),
  );
});
