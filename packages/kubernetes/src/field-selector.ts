import { ApiError } from "./errors.ts";

/** One condition on one field. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** A parsed selector: it matches when all of its requirements do; a field without a value counts as empty. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[];
  matches(get: (field: string) => string | undefined): boolean;
}

/** The fields by which every kind can be selected. */
export const METADATA_FIELDS: readonly string[] = ["metadata.name", "metadata.namespace"];

/** A field, an operator and a value in which `\`, `,` and `=` are escaped with a backslash. */
const TERM = /([^=!,\\\s]+)(==?|!=)((?:[^=,\\]|\\[\\,=])*)(,|$)/y;

/** Parses the `fieldSelector` of a request, such as `metadata.name=x,spec.nodeName!=y`, given the fields that the kind supports. */
export function parseFieldSelector(text: string, supported: readonly string[] = METADATA_FIELDS): FieldSelector {
  const requirements: FieldRequirement[] = [];
  for (let position = 0; position < text.length; position = TERM.lastIndex) {
    TERM.lastIndex = position;
    const [, field, operator, value = ""] = TERM.exec(text) ?? [];
    if (field === undefined) {
      throw new ApiError("BadRequest", `invalid field selector "${text}" at "${text.slice(position)}": expected field=value or field!=value`);
    }
    if (!supported.includes(field)) throw new ApiError("BadRequest", `field label not supported: ${field}`);
    requirements.push({
      field,
      operator: operator === "!=" ? "!=" : "=",
      value: value.replace(/\\(.)/g, "$1"),
    });
  }
  return {
    requirements,
    matches: (get) => requirements.every(({ field, operator, value }) => ((get(field) ?? "") === value) === (operator === "=")),
  };
}
