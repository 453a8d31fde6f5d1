import type { CustomResourceDefinition } from "./builtin/kinds/apiextensions.ts";
import { isObject } from "./schema-walk.ts";
import type { Cause } from "./schema-validate.ts";
import type { Schema } from "./schema.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const VERSION = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/;
/** What a node below `allOf`, `anyOf`, `oneOf` or `not` may not say: only the structure itself may. */
const NOT_IN_JUNCTORS = ["description", "type", "default", "additionalProperties", "nullable", "title"] as const;

/** What is wrong with a CustomResourceDefinition beyond its types: names, versions, and schemas that are not structural. */
export function validateCrd(crd: CustomResourceDefinition): Cause[] {
  const { group, names, versions, scope } = crd.spec;
  const causes: Cause[] = [];
  const wrong = (field: string, value: unknown, text: string): void => {
    causes.push({ reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${text}` });
  };
  if (crd.metadata.name !== `${names.plural}.${group}`) {
    wrong("metadata.name", crd.metadata.name, `must be spec.names.plural+"."+spec.group`);
  }
  if (!SUBDOMAIN.test(group)) wrong("spec.group", group, "should be a domain with at least one dot");
  if (!LABEL.test(names.plural))
    wrong("spec.names.plural", names.plural, "a DNS-1035 label must consist of lower case alphanumeric characters or '-'");
  if (names.kind === "" || !LABEL.test(names.kind.toLowerCase()))
    wrong("spec.names.kind", names.kind, "a kind may have mixed case, but should otherwise be a DNS-1035 label");
  if (scope !== "Namespaced" && scope !== "Cluster") {
    causes.push({
      reason: "FieldValueNotSupported",
      field: "spec.scope",
      message: `Unsupported value: ${JSON.stringify(scope)}: supported values: "Cluster", "Namespaced"`,
    });
  }
  if (versions.filter(({ storage }) => storage).length !== 1)
    wrong(
      "spec.versions",
      versions.map(({ name }) => name),
      "must have exactly one version marked as storage version",
    );
  const seen = new Set<string>();
  for (const [i, version] of versions.entries()) {
    const path = `spec.versions[${i}]`;
    if (!VERSION.test(version.name))
      wrong(`${path}.name`, version.name, "a DNS-1035 label must consist of lower case alphanumeric characters or '-'");
    if (seen.has(version.name)) wrong("spec.versions", version.name, "must contain unique version names");
    seen.add(version.name);
    const schema = version.schema?.openAPIV3Schema;
    if (schema === undefined) {
      causes.push({ reason: "FieldValueRequired", field: `${path}.schema.openAPIV3Schema`, message: "Required value: schemas are required" });
    } else causes.push(...notStructural(schema, `${path}.schema.openAPIV3Schema`));
  }
  return causes;
}

/** Where a schema breaks the rules of structural schemas, worded as Kubernetes words it. */
export function notStructural(schema: Schema, path: string): Cause[] {
  const causes: Cause[] = [];
  if (schema.type !== undefined && schema.type !== "object") {
    causes.push({
      reason: "FieldValueInvalid",
      field: `${path}.type`,
      message: `Invalid value: ${JSON.stringify(schema.type)}: must be object at the root`,
    });
  }
  causes.push(...structure(schema, path, true));
  return causes;
}

function* structure(schema: Schema, path: string, isRoot = false): Generator<Cause> {
  if ("$ref" in schema) yield forbidden(`${path}.$ref`, "$ref is not supported");
  const isTyped = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema.type === undefined && !isTyped) {
    yield {
      reason: "FieldValueRequired",
      field: `${path}.type`,
      message: `Required value: must not be empty for specified ${isRoot ? "objects" : "object fields"}`,
    };
  }
  if (schema.type !== undefined && schema["x-kubernetes-int-or-string"] === true) {
    yield forbidden(`${path}.type`, "must be empty if x-kubernetes-int-or-string is true");
  }
  if (schema.type === "array" && schema.items === undefined) {
    yield { reason: "FieldValueRequired", field: `${path}.items`, message: "Required value: must be specified" };
  }
  if (schema.uniqueItems === true)
    yield forbidden(`${path}.uniqueItems`, "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  if (schema.properties !== undefined && schema.additionalProperties !== undefined) {
    yield forbidden(`${path}.additionalProperties`, "must not be used together with properties");
  }
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* structure(child, `${path}.properties[${name}]`);
  if (isObject(schema.additionalProperties)) yield* structure(schema.additionalProperties, `${path}.additionalProperties`);
  if (schema.items !== undefined) yield* structure(schema.items, `${path}.items`);
  yield* junctors(schema, path);
  if (schema["x-kubernetes-list-type"] === "map") {
    if ((schema["x-kubernetes-list-map-keys"] ?? []).length === 0) {
      yield {
        reason: "FieldValueRequired",
        field: `${path}.x-kubernetes-list-map-keys`,
        message: "Required value: must not be empty if x-kubernetes-list-type is map",
      };
    }
  }
}

function* junctors(schema: Schema, path: string): Generator<Cause> {
  for (const key of ["allOf", "anyOf", "oneOf"] as const) {
    // An int-or-string may list its two types in an anyOf, alone or inside an allOf.
    for (const [i, branch] of (schema[key] ?? []).entries()) {
      yield* valueOnly(branch, `${path}.${key}[${i}]`, schema["x-kubernetes-int-or-string"] === true && key !== "oneOf");
    }
  }
  if (schema.not !== undefined) yield* valueOnly(schema.not, `${path}.not`, false);
}

function* valueOnly(schema: Schema, path: string, isIntOrString: boolean): Generator<Cause> {
  for (const key of NOT_IN_JUNCTORS) {
    if (key in schema && !(key === "type" && isIntOrString)) yield forbidden(`${path}.${key}`, "must be empty to be structural");
  }
  for (const [name, child] of Object.entries(schema.properties ?? {})) yield* valueOnly(child, `${path}.properties[${name}]`, false);
  if (schema.items !== undefined) yield* valueOnly(schema.items, `${path}.items`, false);
  for (const key of ["allOf", "anyOf", "oneOf"] as const) {
    for (const [i, branch] of (schema[key] ?? []).entries()) yield* valueOnly(branch, `${path}.${key}[${i}]`, isIntOrString);
  }
  if (schema.not !== undefined) yield* valueOnly(schema.not, `${path}.not`, false);
}

function forbidden(field: string, text: string): Cause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${text}` };
}
