/**
 * The contract: what a Kubernetes kind is, as pure values. Resource descriptors, object types, schemas, quantities,
 * selectors, patches and the ownership of fields live here; nothing in this package does I/O, so that every other room may stand on it.
 */
export * from "./errors.ts";
export * from "./object.ts";
export * from "./resource.ts";
export * from "./schema.ts";
export * from "./quantity.ts";
export * from "./duration.ts";
export * from "./label-selector.ts";
export * from "./field-selector.ts";
export * from "./merge-patch.ts";
export * from "./json-patch.ts";
export * from "./strategic-merge-patch.ts";
export * from "./nesting.ts";
export * from "./canonical-json.ts";
export * from "./json-equal.ts";
export * from "./json-members.ts";
export * from "./managed-fields.ts";
export type { FieldSet } from "./field-set.ts";
export * from "./schema-default.ts";
export * from "./schema-prune.ts";
export * from "./schema-validate.ts";
export * from "./builtin/index.ts";
export * from "./protobuf.ts";
export * from "./crd.ts";
export * from "./crd-validate.ts";
export * from "./openapi.ts";
