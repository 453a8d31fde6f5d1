import { beforeEach, describe, expect, test } from "vitest";
import type { Schema, UnknownObject } from "@sluice/kubernetes";
import { openWorld, type World } from "./world.fixture.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS = "/apis/example.com/v1/namespaces/default/widgets";

const crd = (spec: Schema, more: Record<string, Schema> = {}, rules: Schema["x-kubernetes-validations"] = []): object => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", properties: { spec, ...more }, "x-kubernetes-validations": rules } },
      },
    ],
  },
});

let world: World;

beforeEach(async () => {
  world = await openWorld();
  return async () => world[Symbol.asyncDispose]();
});

const widget = (spec: unknown, more: object = {}): object => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name: "w" },
  spec,
  ...more,
});

async function define(...args: Parameters<typeof crd>): Promise<void> {
  await world.send("POST", CRDS, { body: crd(...args) });
}

/** The faults that creating a widget with this spec is refused for. */
async function faults(spec: unknown): Promise<string[]> {
  const error = await world.refusal("POST", WIDGETS, { body: widget(spec) });
  expect(error.reason).toBe("Invalid");
  return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
}

async function update(change: (stored: UnknownObject) => object, subresource = ""): Promise<UnknownObject> {
  const stored = await world.send("GET", `${WIDGETS}/w`);
  return world.send("PUT", `${WIDGETS}/w${subresource}`, { body: change(stored) });
}

describe("on creation", () => {
  test("a rule that does not hold refuses the object, in Kubernetes' words", async () => {
    const integer: Schema = {
      type: "integer",
      "x-kubernetes-validations": [{ rule: "self > 0" }, { rule: "self % 2 == 0", message: "must be even" }],
    };
    await define({
      type: "object",
      properties: { replicas: integer, min: { type: "integer" } },
      "x-kubernetes-validations": [{ rule: "!has(self.min) || self.min <= self.replicas", messageExpression: "'at least %d'.format([self.min])" }],
    });
    expect(await faults({ replicas: -1, min: 3 })).toEqual([
      "spec: Invalid value: at least 3",
      "spec.replicas: Invalid value: -1: failed rule: self > 0",
      "spec.replicas: Invalid value: -1: must be even",
    ]);
    await world.send("POST", WIDGETS, { body: widget({ replicas: 4, min: 3 }) });
  });

  test("reason and fieldPath say what is wrong where", async () => {
    await define({
      type: "object",
      properties: { a: { type: "string" }, b: { type: "object", properties: { "c.d": { type: "string" } } } },
      "x-kubernetes-validations": [
        { rule: "has(self.b)", reason: "FieldValueRequired", message: "b is needed", fieldPath: ".b" },
        { rule: "self.a != 'x'", reason: "FieldValueForbidden", fieldPath: ".b['c.d']" },
        { rule: "self.a != 'x'", reason: "FieldValueDuplicate" },
      ],
    });
    expect(await faults({ a: "x" })).toEqual([
      "spec.b: Required value: b is needed",
      "spec.b.c.d: Forbidden: failed rule: self.a != 'x'",
      "spec: Duplicate value",
    ]);
  });

  test("rules see lists, maps, names that must be escaped, and the object's own name", async () => {
    await define(
      {
        type: "object",
        properties: {
          "a-b": { type: "string" },
          list: { type: "array", items: { type: "string", "x-kubernetes-validations": [{ rule: "self.size() < 3" }] } },
          map: { type: "object", additionalProperties: { type: "integer", "x-kubernetes-validations": [{ rule: "self < 3" }] } },
          at: { type: "string", format: "date-time" },
          port: { "x-kubernetes-int-or-string": true },
        },
        "x-kubernetes-validations": [
          { rule: "self.a__dash__b == 'x'" },
          { rule: "self.at.getFullYear() == 2024" },
          { rule: "type(self.port) == int || self.port == 'http'" },
        ],
      },
      {},
      [{ rule: "self.metadata.name.startsWith('v')", message: "names begin with v" }],
    );
    expect(await faults({ "a-b": "y", list: ["ok", "long"], map: { one: 1, ten: 10 }, at: "2023-01-01T00:00:00Z", port: "https" })).toEqual([
      ": Invalid value: names begin with v",
      "spec: Invalid value: failed rule: self.a__dash__b == 'x'",
      "spec: Invalid value: failed rule: self.at.getFullYear() == 2024",
      "spec: Invalid value: failed rule: type(self.port) == int || self.port == 'http'",
      'spec.list[1]: Invalid value: "long": failed rule: self.size() < 3',
      "spec.map[ten]: Invalid value: 10: failed rule: self < 3",
    ]);
  });

  test("a rule that fails says why", async () => {
    await define({ type: "object", properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "10 / self.a > 1" }] });
    expect(await faults({ a: 0 })).toEqual(['spec: Invalid value: "object": division by zero evaluating rule: 10 / self.a > 1']);
    expect(await faults({})).toEqual(['spec: Invalid value: "object": no such key: a evaluating rule: 10 / self.a > 1']);
  });

  test("a rule that costs too much ends the validation", async () => {
    const rule = "self.list.all(a, self.list.all(b, a + b >= 0))";
    await define({
      type: "object",
      properties: { list: { type: "array", maxItems: 1000, items: { type: "integer" } } },
      "x-kubernetes-validations": [{ rule }, { rule: "false" }],
    });
    expect(await faults({ list: Array.from({ length: 1000 }, (_, i) => i) })).toEqual([
      `spec: Invalid value: "object": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${rule}`,
    ]);
  });

  test("rules wait until the shape is right", async () => {
    await define({ type: "object", required: ["a"], properties: { a: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.a > 0" }] });
    expect(await faults({})).toEqual([
      "spec.a: Required value",
      ": Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    ]);
  });
});

describe("on update", () => {
  test("a rule that names oldSelf compares", async () => {
    await define({
      type: "object",
      properties: { a: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "is immutable" }] } },
    });
    await world.send("POST", WIDGETS, { body: widget({ a: "x" }) });
    await expect(update((stored) => ({ ...stored, spec: { a: "y" } }))).rejects.toThrow('spec.a: Invalid value: "y": is immutable');
    await update((stored) => ({ ...stored, spec: { a: "x" }, metadata: { ...stored.metadata, labels: { b: "c" } } }));
    await update((stored) => ({ ...stored, spec: {} }));
  });

  test("items of a list that is a map are compared by their keys", async () => {
    await define({
      type: "object",
      properties: {
        items: {
          type: "array",
          maxItems: 10,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, size: { type: "integer" } },
            "x-kubernetes-validations": [{ rule: "self.size >= oldSelf.size", message: "may not shrink" }],
          },
        },
      },
    });
    const items = [
      { name: "a", size: 1 },
      { name: "b", size: 5 },
    ];
    await world.send("POST", WIDGETS, { body: widget({ items }) });
    await expect(update((stored) => ({ ...stored, spec: { items: [{ name: "b", size: 4 }] } }))).rejects.toThrow(
      "spec.items[0]: Invalid value: may not shrink",
    );
    await update((stored) => ({ ...stored, spec: { items: [{ name: "c", size: 0 }, ...items.toReversed()] } }));
  });

  test("optionalOldSelf has a value on update only", async () => {
    const rule = "oldSelf.hasValue() ? self >= oldSelf.value() : self == 1";
    await define({
      type: "object",
      properties: { a: { type: "integer", "x-kubernetes-validations": [{ rule, optionalOldSelf: true, message: "grows from 1" }] } },
    });
    expect(await faults({ a: 2 })).toEqual(["spec.a: Invalid value: 2: grows from 1"]);
    await world.send("POST", WIDGETS, { body: widget({ a: 1 }) });
    await update((stored) => ({ ...stored, spec: { a: 3 } }));
    await expect(update((stored) => ({ ...stored, spec: { a: 2 } }))).rejects.toThrow("grows from 1");
  });

  test("what has not changed is not refused for a rule that came later", async () => {
    const spec = (rules: Schema["x-kubernetes-validations"] = []): Schema => ({
      type: "object",
      properties: { a: { type: "integer", "x-kubernetes-validations": rules }, b: { type: "integer" } },
    });
    await define(spec());
    await world.send("POST", WIDGETS, { body: widget({ a: 1, b: 1 }) });
    const definition = await world.send("GET", `${CRDS}/widgets.example.com`);
    const rules = [{ rule: "self > 5", message: "must be large" }];
    const next = { ...crd(spec(rules)), metadata: definition.metadata };
    await world.send("PUT", `${CRDS}/widgets.example.com`, { body: next });
    await update((stored) => ({ ...stored, spec: { a: 1, b: 2 } }));
    await expect(update((stored) => ({ ...stored, spec: { a: 2, b: 2 } }))).rejects.toThrow("spec.a: Invalid value: 2: must be large");
  });

  test("the status has rules, too", async () => {
    const status: Schema = { type: "object", properties: { ready: { type: "integer" } }, "x-kubernetes-validations": [{ rule: "self.ready >= 0" }] };
    await define({ type: "object" }, { status });
    await world.send("POST", WIDGETS, { body: widget({}) });
    await expect(update((stored) => ({ ...stored, status: { ready: -1 } }), "/status")).rejects.toThrow("failed rule: self.ready >= 0");
    await update((stored) => ({ ...stored, status: { ready: 1 } }), "/status");
  });
});

describe("a definition is refused", () => {
  const refused = async (spec: Schema): Promise<string[]> => {
    const error = await world.refusal("POST", CRDS, { body: crd(spec) });
    return (error.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
  };
  const at = "spec.versions[0].schema.openAPIV3Schema.properties[spec]";
  const rule = (text: string): Schema => ({ type: "object", properties: { a: { type: "string" } }, "x-kubernetes-validations": [{ rule: text }] });

  test("whose rule does not compile", async () => {
    const [cause = ""] = await refused(rule("self.b == 1"));
    expect(cause).toContain(`${at}.x-kubernetes-validations[0].rule: Invalid value: {"Rule":"self.b == 1"`);
    expect(cause).toContain("compilation failed: ERROR: <input>:1:5: undefined field 'b'\n | self.b == 1\n | ....^");
  });

  test("whose rule is no condition", async () => {
    expect((await refused(rule("self.a")))[0]).toContain("cel expression must evaluate to a bool");
  });

  test("whose rule may cost too much", async () => {
    const list: Schema = { type: "array", items: { type: "string" } };
    const spec: Schema = {
      type: "object",
      properties: { list },
      "x-kubernetes-validations": [{ rule: "self.list.all(a, self.list.all(b, a == b))" }],
    };
    expect(await refused(spec)).toEqual([
      `${at}.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`,
      `${at}.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema`,
      "spec.versions[0].schema.openAPIV3Schema: Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)",
    ]);
    await define({ ...spec, properties: { list: { ...list, maxItems: 10, items: { type: "string", maxLength: 10 } } } });
  });

  test("whose rule compares what does not belong together", async () => {
    const items: Schema = { type: "string", maxLength: 5, "x-kubernetes-validations": [{ rule: "self == oldSelf" }] };
    const spec: Schema = { type: "object", properties: { list: { type: "array", maxItems: 5, items } } };
    expect((await refused(spec))[0]).toContain(`oldSelf cannot be used on the uncorrelatable portion of the schema within ${at}.properties[list]`);
  });

  test("whose rule has a message or path that is none", async () => {
    const spec: Schema = {
      type: "object",
      "x-kubernetes-validations": [{ rule: "true", message: " " }, { rule: "true", fieldPath: ".x" }, { rule: " " }],
    };
    expect(await refused(spec)).toEqual([
      `${at}.x-kubernetes-validations[0].message: Invalid value: " ": must be non-empty if specified`,
      `${at}.x-kubernetes-validations[1].fieldPath: Invalid value: ".x": must be a valid path`,
      `${at}.x-kubernetes-validations[2].rule: Required value: rule is not specified`,
    ]);
  });
});
