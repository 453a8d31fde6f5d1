import { jsonEqual, type Cause } from "@sluice/kubernetes";

/** The cause for a field that has changed and must not. */
export function immutable(field: string, value: unknown): Cause {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value ?? null)}: field is immutable` };
}

/** The cause for something that is not allowed. */
export function forbid(field: string, why: string): Cause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${why}` };
}

/** The causes for those of `fields` that differ; `path` is where they are. */
export function unchanged<T extends object>(path: string, next: T, before: T, fields: readonly (keyof T & string)[]): Cause[] {
  return fields.flatMap((field) => (jsonEqual(next[field], before[field]) ? [] : [immutable(path === "" ? field : `${path}.${field}`, next[field])]));
}
