import fc from "fast-check";
import { expect, test } from "vitest";
import type { Schema } from "./schema.ts";
import { prune } from "./schema-prune.ts";

const schema: Schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        list: { type: "array", items: { type: "object", properties: { a: {} } } },
        map: { type: "object", additionalProperties: { type: "object", properties: { a: {} } } },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { strict: { type: "object" } } },
        template: { type: "object", "x-kubernetes-embedded-resource": true },
        pod: { ref: "Pod" },
      },
    },
  },
};
const resolve = (): Schema => ({ type: "object", properties: { name: { type: "string" } } });

test("drops what the schema does not specify, and says where", () => {
  const input = {
    apiVersion: "v1",
    kind: "A",
    metadata: { anything: 1 },
    x: 1,
    spec: {
      list: [{ a: 1 }, { b: 2 }],
      map: { k: { a: 1, b: 2 } },
      free: { any: { thing: 1 }, strict: { no: 1 } },
      template: { kind: "B", metadata: { name: "b" }, spec: {} },
      pod: { name: "p", no: 1 },
    },
  };
  const before = structuredClone(input);
  const { value, dropped } = prune(input, schema, { root: true, resolve });
  expect(dropped).toEqual(["x", "spec.list[1].b", "spec.map.k.b", "spec.free.strict.no", "spec.template.spec", "spec.pod.no"]);
  expect(value).toEqual({
    apiVersion: "v1",
    kind: "A",
    metadata: { anything: 1 },
    spec: {
      list: [{ a: 1 }, {}],
      map: { k: { a: 1 } },
      free: { any: { thing: 1 }, strict: {} },
      template: { kind: "B", metadata: { name: "b" } },
      pod: { name: "p" },
    },
  });
  expect(input).toEqual(before);
});

test("drops nulls that stand for nothing, silently, and writes quantities canonically", () => {
  const amounts: Schema = {
    properties: { a: { nullable: true }, b: { default: 1 }, c: { type: "string" }, q: { format: "quantity" }, r: { format: "quantity" } },
  };
  expect(prune({ a: null, b: null, c: null, q: 0.5, r: "1024Mi" }, amounts)).toEqual({
    value: { a: null, b: null, q: "500m", r: "1Gi" },
    dropped: [],
  });
});

test("keeps metadata only at the root", () => {
  expect(prune({ metadata: {} }, {}).dropped).toEqual(["metadata"]);
  expect(prune({ metadata: {} }, {}, { root: true }).dropped).toEqual([]);
});

test("is idempotent, and keeps the reference where nothing is dropped", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (spec) => {
      const once = prune({ spec }, schema, { root: true, resolve }).value;
      const twice = prune(once, schema, { root: true, resolve });
      expect(twice.dropped).toEqual([]);
      expect(twice.value).toBe(once);
    }),
  );
});
