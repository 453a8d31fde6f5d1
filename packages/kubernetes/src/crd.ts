import { builtinDefinition } from "./builtin/schema-of-definition.ts";
import type { CustomResourceDefinition } from "./builtin/kinds/apiextensions.ts";
import type { UnknownObject } from "./object.ts";
import { defineResource, type Column, type Resource } from "./resource.ts";
import { isObject } from "./schema-walk.ts";
import type { Schema } from "./schema.ts";

/** A custom kind without a schema: everything in it stays. */
const OPEN: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const AGE: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };
const COLUMN_TYPES: readonly Column["type"][] = ["string", "integer", "number", "boolean", "date"];

/** The resources that a CustomResourceDefinition describes: one for each version that it serves. */
export function resourcesOfCrd(crd: CustomResourceDefinition | UnknownObject): Resource[] {
  const { group, names, scope, versions, preserveUnknownFields } = specOf(crd);
  return versions
    .filter(({ served }) => served)
    .map((version) => {
      const schema: Schema = version.schema?.openAPIV3Schema ?? OPEN;
      const scale = version.subresources?.scale;
      return defineResource({
        group,
        version: version.name,
        kind: names.kind,
        plural: names.plural,
        scope: scope === "Cluster" ? "Cluster" : "Namespaced",
        schema: preserveUnknownFields === true ? { ...schema, "x-kubernetes-preserve-unknown-fields": true } : schema,
        singular: names.singular ?? names.kind.toLowerCase(),
        listKind: names.listKind ?? `${names.kind}List`,
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        subresources: {
          status: version.subresources?.status !== undefined,
          ...(scale === undefined
            ? {}
            : {
                scale: {
                  specReplicasPath: scale.specReplicasPath,
                  statusReplicasPath: scale.statusReplicasPath,
                  ...(scale.labelSelectorPath === undefined ? {} : { labelSelectorPath: scale.labelSelectorPath }),
                },
              }),
        },
        columns: (version.additionalPrinterColumns ?? [AGE]).map((column) => ({
          ...column,
          type: COLUMN_TYPES.find((type) => type === column.type) ?? "string",
        })),
        selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, "")),
      });
    });
}

/** The name of the version that objects of the CustomResourceDefinition are stored in. */
export function storageVersionOf(crd: CustomResourceDefinition | UnknownObject): string | undefined {
  return specOf(crd).versions.find(({ storage }) => storage)?.name;
}

/** The CustomResourceDefinition that installs `resource` on any cluster; what its schema refers to is written out. */
export function crdOf(resource: Omit<Resource, "object">): CustomResourceDefinition {
  const { group, version, kind, listKind, plural, singular, scope, shortNames, categories, subresources, columns, selectableFields } = resource;
  const { scale } = subresources;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        plural,
        singular,
        kind,
        listKind,
        ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
        ...(categories.length === 0 ? {} : { categories: [...categories] }),
      },
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: writeOut(resource.schema, []) },
          ...(subresources.status || scale !== undefined
            ? { subresources: { ...(subresources.status ? { status: {} } : {}), ...(scale === undefined ? {} : { scale: { ...scale } }) } }
            : {}),
          ...(columns.length === 0 ? {} : { additionalPrinterColumns: columns.map((column) => ({ ...column })) }),
          ...(selectableFields.length === 0 ? {} : { selectableFields: selectableFields.map((field) => ({ jsonPath: `.${field}` })) }),
        },
      ],
    },
  };
}

/** Replaces each `ref` by its definition, and a `ref` back to a definition that is being written by an open object. */
function writeOut(schema: Schema, within: readonly string[]): Schema {
  const { ref, ...own } = schema;
  if (ref !== undefined) {
    if (within.includes(ref)) return { ...OPEN, ...own };
    return { ...writeOut(builtinDefinition(ref), [...within, ref]), ...own };
  }
  const { properties, additionalProperties, items, format, anyOf, ...rest } = own;
  if (format === "quantity") return { ...rest, "x-kubernetes-int-or-string": true };
  return {
    ...rest,
    ...(format === undefined ? {} : { format }),
    ...(anyOf === undefined ? {} : { anyOf }),
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, writeOut(child, within)])) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: typeof additionalProperties === "boolean" ? additionalProperties : writeOut(additionalProperties, within) }),
    ...(items === undefined ? {} : { items: writeOut(items, within) }),
  };
}

/** The `spec` of a definition, whichever way it is typed. */
function specOf(crd: CustomResourceDefinition | UnknownObject): CustomResourceDefinition["spec"] {
  const spec: unknown = crd["spec"];
  if (!isSpec(spec)) throw new Error(`the CustomResourceDefinition ${crd.metadata.name} has no spec`);
  return spec;
}

/** The API server validates every CustomResourceDefinition against its built-in schema before anyone asks for more. */
function isSpec(spec: unknown): spec is CustomResourceDefinition["spec"] {
  return isObject(spec) && isObject(spec["names"]) && Array.isArray(spec["versions"]);
}
