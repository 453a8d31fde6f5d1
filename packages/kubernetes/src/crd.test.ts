import { describe, expect, it } from "vitest";
import { builtinResources, Job } from "./builtin/index.ts";
import { validateCrd } from "./crd-validate.ts";
import { crdOf, resourcesOfCrd, storageVersionOf } from "./crd.ts";
import { openApiDocument, openApiIndex } from "./openapi.ts";
import { defineResource, type Resource } from "./resource.ts";
import type { Schema } from "./schema.ts";

const define = (schema: Schema): Resource =>
  defineResource({
    group: "x.io",
    version: "v1",
    kind: "Foo",
    plural: "foos",
    scope: "Namespaced",
    schema,
    shortNames: ["f"],
    subresources: { status: true },
    selectableFields: ["spec.n"],
    columns: [{ name: "N", type: "integer", jsonPath: ".spec.n" }],
  });
const errors = (schema: Schema): string[] =>
  validateCrd(crdOf(define(schema))).map(({ field, message }) => `${field.replace(/^.*openAPIV3Schema\.?/, "")}: ${message}`);

describe("custom resource definitions", () => {
  it("describe a resource and back", () => {
    const Foo = define({ type: "object", properties: { spec: { type: "object", properties: { n: { type: "integer" } } } } });
    expect(resourcesOfCrd(crdOf(Foo))).toEqual([Foo]);
    expect(storageVersionOf(crdOf(Foo))).toBe("v1");
  });

  it("write out what they refer to, as structural schemas", () => {
    expect(errors({ type: "object", properties: { template: { ref: "io.k8s.api.core.v1.PodTemplateSpec" } } })).toEqual([]);
    expect(JSON.stringify(crdOf(define({ ref: Job.schema.ref ?? "" })))).not.toContain('"ref"');
  });

  it.each<[Schema, string[]]>([
    [{ type: "object", properties: { a: {} } }, ["properties[a].type: Required value: must not be empty for specified object fields"]],
    [{ type: "object", properties: { a: { type: "array" } } }, ["properties[a].items: Required value: must be specified"]],
    [
      { type: "object", properties: {}, additionalProperties: { type: "string" } },
      ["additionalProperties: Forbidden: must not be used together with properties"],
    ],
    [{ type: "object", anyOf: [{ type: "object" }] }, ["anyOf[0].type: Forbidden: must be empty to be structural"]],
    [{ type: "object", properties: { a: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] } } }, []],
  ])("refuse %j", (schema, expected) => expect(errors(schema)).toEqual(expected));
});

describe("OpenAPI", () => {
  it("refers only to what it contains, and tells clients how to patch", () => {
    const all = [...builtinResources, define({ type: "object", properties: { spec: { ref: "io.k8s.api.core.v1.PodSpec" } } })];
    const { paths } = openApiIndex(all);
    expect(Object.keys(paths as object)).toContain("apis/x.io/v1");
    for (const path of Object.keys(paths as object)) {
      const text = JSON.stringify(openApiDocument(path, all));
      const schemas = JSON.parse(text).components.schemas;
      for (const [, name = ""] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) expect(schemas).toHaveProperty([name]);
    }
    expect(openApiDocument("apis/x.io/v1", all)?.["paths"]).toMatchObject({
      "/apis/x.io/v1/namespaces/{namespace}/foos/{name}": {
        patch: {
          parameters: expect.arrayContaining([expect.objectContaining({ name: "fieldValidation", in: "query" })]),
          "x-kubernetes-group-version-kind": { group: "x.io", version: "v1", kind: "Foo" },
        },
      },
    });
    expect(openApiDocument("apis/none/v1", all)).toBeUndefined();
  });
});
