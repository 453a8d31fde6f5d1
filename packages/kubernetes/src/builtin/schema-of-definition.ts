import type { Schema } from "../schema.ts";
import { DEFAULTS } from "./defaults.ts";
import { findDefinition, type Definition, type FieldDefinition, type FieldType, type Scalar } from "./definition-table.ts";
import { DESCRIPTIONS } from "./descriptions.ts";
import { NOT_REQUIRED, RULES } from "./rules.ts";

const compiled = new Map<string, Schema>();

/** The schema of a built-in definition, e.g. `io.k8s.api.core.v1.PodSpec`: what a `ref` means. Compiled once, when first asked for. */
export function builtinDefinition(name: string): Schema {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const definition = findDefinition(name);
  if (definition === undefined) throw new Error(`there is no built-in definition ${name}`);
  const schema = compile(definition);
  compiled.set(name, schema);
  return schema;
}

function compile(definition: Definition): Schema {
  const properties: Record<string, Schema> = {};
  const required: string[] = [];
  collect(definition, properties, required);
  const description = DESCRIPTIONS[shortName(definition.name)]?.[""];
  return {
    type: "object",
    ...(description === undefined ? {} : { description }),
    properties,
    ...(required.length === 0 ? {} : { required }),
    ...(definition.isAtomic ? { "x-kubernetes-map-type": "atomic" } : {}),
  };
}

function collect(definition: Definition, properties: Record<string, Schema>, required: string[]): void {
  const short = shortName(definition.name);
  for (const field of definition.fields) {
    if (field.name === undefined) {
      const inlined = field.type.kind === "definition" ? findDefinition(field.type.name) : undefined;
      if (inlined !== undefined) collect(inlined, properties, required);
      continue;
    }
    const fallback = DEFAULTS[short]?.[field.name];
    const description = DESCRIPTIONS[short]?.[field.name];
    properties[field.name] = {
      ...fieldSchema(field),
      ...(description === undefined ? {} : { description }),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...RULES[short]?.[field.name],
    };
    if (field.isRequired && NOT_REQUIRED[short]?.includes(field.name) !== true) required.push(field.name);
  }
}

function fieldSchema(field: FieldDefinition): Schema {
  const schema = schemaOfType(field.type, field.enum);
  const listType = field.listType;
  return {
    ...schema,
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(listType === "atomic" || listType === "set" || listType === "map" ? { "x-kubernetes-list-type": listType } : {}),
    ...(field.listMapKeys.length === 0 ? {} : { "x-kubernetes-list-map-keys": field.listMapKeys }),
    ...(field.isAtomicMap ? { "x-kubernetes-map-type": "atomic" } : {}),
    ...(field.patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": field.patchStrategy }),
    ...(field.patchMergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
  };
}

function schemaOfType(type: FieldType, values?: readonly string[]): Schema {
  switch (type.kind) {
    case "scalar":
      return values === undefined ? schemaOfScalar(type.scalar) : { type: "string", enum: values };
    case "definition":
      return { ref: type.name };
    case "list":
      return { type: "array", items: schemaOfType(type.of, values) };
    case "map":
      return { type: "object", additionalProperties: schemaOfType(type.of) };
  }
}

/** A number or text such as `100m`; the API server writes it back as text. */
const QUANTITY: Schema = { format: "quantity", anyOf: [{ type: "number" }, { type: "string" }] };

function schemaOfScalar(scalar: Scalar): Schema {
  switch (scalar) {
    case "string":
      return { type: "string" };
    case "bool":
      return { type: "boolean" };
    case "int32":
    case "int64":
      return { type: "integer", format: scalar };
    case "double":
      return { type: "number", format: "double" };
    case "bytes":
      return { type: "string", format: "byte" };
    case "quantity":
      return QUANTITY;
    case "int-or-string":
      return { "x-kubernetes-int-or-string": true };
    case "time":
    case "micro-time":
      return { type: "string", format: "date-time" };
    case "duration":
      return { type: "string" };
    case "raw":
      return { type: "object", "x-kubernetes-preserve-unknown-fields": true };
    case "strings":
      return { type: "array", items: { type: "string" } };
    case "json":
    case "schema-or-bool":
    case "schema-or-array":
    case "schema-or-strings":
      return { nullable: true, "x-kubernetes-preserve-unknown-fields": true };
  }
}

/** `core.v1.PodSpec` of `io.k8s.api.core.v1.PodSpec`: how the hand-written overlays name a definition. */
function shortName(definition: string): string {
  return definition.split(".").slice(-3).join(".");
}
