import {
  ApiError,
  isJsonObject,
  METADATA_NAMES,
  type Cause,
  type FieldSet,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type UnknownObject,
} from "@sluice/kubernetes";
import type { Strategy } from "./strategy.ts";

/** The metadata of a request's object without nulls and unknown fields; `unknown` names the latter. */
export function readMeta(value: unknown): { readonly metadata: Partial<ObjectMeta>; readonly unknown: readonly string[] } {
  if (!isJsonObject(value)) return { metadata: {}, unknown: [] };
  const entries = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  const unknown = entries.flatMap(([name]) => (METADATA_NAMES.has(name) ? [] : [`metadata.${name}`]));
  // `validateMeta` judges the values before anything relies on them.
  const metadata: Partial<ObjectMeta> = Object.fromEntries(entries.filter(([name]) => METADATA_NAMES.has(name) && name !== "selfLink"));
  const { managedFields } = metadata;
  return { metadata: managedFields === undefined ? metadata : { ...metadata, managedFields: readManagedFields(managedFields) }, unknown };
}

/** The entries that a client sends back, or edits; one that is empty is how a client clears them all. */
function readManagedFields(value: unknown): ManagedFieldsEntry[] {
  const refuse = (index: number, field: string, given: unknown, why: string): ApiError =>
    new ApiError("Invalid", `metadata.managedFields[${index}].${field}: Invalid value: ${JSON.stringify(given ?? "")}: ${why}`);
  if (!Array.isArray(value)) throw new ApiError("Invalid", "metadata.managedFields: must be a list");
  const entries = value.filter((entry) => !isJsonObject(entry) || Object.keys(entry).length > 0);
  return entries.map((entry: unknown, index): ManagedFieldsEntry => {
    const { operation, fieldsType, fieldsV1 = {}, manager = "", apiVersion = "", time, subresource } = isJsonObject(entry) ? entry : {};
    if (operation !== "Apply" && operation !== "Update") throw refuse(index, "operation", operation, "must be `Apply` or `Update`");
    if (fieldsType !== "FieldsV1") throw refuse(index, "fieldsType", fieldsType, "must be `FieldsV1`");
    if (!isFieldSet(fieldsV1)) throw refuse(index, "fieldsV1", fieldsV1, "must be a set of fields");
    return {
      manager: String(manager),
      operation,
      apiVersion: String(apiVersion),
      ...(typeof time === "string" ? { time } : {}),
      fieldsType,
      fieldsV1,
      ...(typeof subresource === "string" && subresource !== "" ? { subresource } : {}),
    };
  });
}

function isFieldSet(value: unknown): value is FieldSet {
  return isJsonObject(value) && Object.entries(value).every(([element, child]) => /^(?:\.$|[fkvi]:)/.test(element) && isFieldSet(child));
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SERVICE = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** What is wrong with an object's metadata. */
export function validateMeta({ metadata }: UnknownObject, rule: Strategy["nameRule"] = "subdomain"): Cause[] {
  const causes: Cause[] = [];
  const invalid = (field: string, value: unknown, why: string): void => {
    causes.push({ reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` });
  };
  const name: unknown = metadata.name;
  if (typeof name !== "string" || name === "") {
    causes.push({ reason: "FieldValueRequired", field: "metadata.name", message: "Required value: name or generateName is required" });
  } else {
    const problem = nameProblem(name, rule);
    if (problem !== undefined) invalid("metadata.name", name, problem);
  }
  for (const [kind, map] of [
    ["labels", metadata.labels],
    ["annotations", metadata.annotations],
  ] as const) {
    const value: unknown = map;
    if (value === undefined) continue;
    if (!isJsonObject(value)) {
      invalid(`metadata.${kind}`, value, "must be a map of strings");
      continue;
    }
    let size = 0;
    for (const [key, text] of Object.entries(value)) {
      if (!QUALIFIED.test(kind === "annotations" ? key.toLowerCase() : key)) {
        invalid(
          `metadata.${kind}`,
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        );
      }
      if (typeof text !== "string") invalid(`metadata.${kind}`, text, "must be a string");
      else if (kind === "labels" && (text.length > 63 || !LABEL_VALUE.test(text))) {
        invalid(
          "metadata.labels",
          text,
          "a valid label must be an empty string or consist of at most 63 alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        );
      } else size += key.length + text.length;
    }
    if (kind === "annotations" && size > MAX_ANNOTATION_BYTES) {
      causes.push({
        reason: "FieldValueTooLong",
        field: "metadata.annotations",
        message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
      });
    }
  }
  const finalizers: unknown = metadata.finalizers ?? [];
  if (!Array.isArray(finalizers)) invalid("metadata.finalizers", finalizers, "must be a list of strings");
  else
    for (const finalizer of finalizers)
      if (typeof finalizer !== "string" || !QUALIFIED.test(finalizer))
        invalid("metadata.finalizers", finalizer, "name part must consist of alphanumeric characters, '-', '_' or '.'");

  const owners: unknown = metadata.ownerReferences ?? [];
  if (!Array.isArray(owners)) invalid("metadata.ownerReferences", owners, "must be a list");
  else {
    for (const owner of owners) {
      for (const field of ["apiVersion", "kind", "name", "uid"]) {
        if (!isJsonObject(owner) || typeof owner[field] !== "string" || owner[field] === "") {
          invalid(`metadata.ownerReferences.${field}`, isJsonObject(owner) ? owner[field] : owner, `${field} must not be empty`);
        }
      }
    }
    const controllers = owners.filter((owner) => isJsonObject(owner) && owner["controller"] === true);
    if (controllers.length > 1) invalid("metadata.ownerReferences", controllers.length, "Only one reference can have Controller set to true");
  }
  return causes;
}

function nameProblem(name: string, rule: NonNullable<Strategy["nameRule"]>): string | undefined {
  switch (rule) {
    case "path":
      return name === "." || name === ".." || /[/%]/.test(name) ? "may not be '.' or '..', nor contain '/' or '%'" : undefined;
    case "label":
      return name.length <= 63 && LABEL.test(name)
        ? undefined
        : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character, and be at most 63 characters";
    case "service":
      return name.length <= 63 && SERVICE.test(name)
        ? undefined
        : "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character, and be at most 63 characters";
    case "subdomain":
      return name.length <= 253 && SUBDOMAIN.test(name)
        ? undefined
        : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character, and be at most 253 characters";
  }
}

const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** A name from a `generateName`: at most 58 characters of it and five from `id`'s hexadecimal digits. */
export function generateName(base: string, id: string): string {
  const entropy = BigInt(`0x${id.replaceAll(/[^0-9a-f]/gi, "").slice(-14) || "0"}`);
  let rest = entropy;
  let suffix = "";
  for (let i = 0; i < 5; i++, rest /= 27n) suffix += SUFFIX_LETTERS.charAt(Number(rest % 27n));
  return base.slice(0, 58) + suffix;
}
