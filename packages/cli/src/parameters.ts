import { UserError } from "@sluice/kubernetes";
import type { JsonValue } from "@sluice/sdk";
import { parseAllDocuments } from "yaml";

/** The values of `name=value` arguments, read as the pipeline's parameters are declared. */
export function parametersOf(ir: string, given: readonly string[]): Record<string, JsonValue> {
  const declared = given.length === 0 ? {} : declaredIn(ir);
  const values: Record<string, JsonValue> = {};
  for (const argument of given) {
    const equals = argument.indexOf("=");
    if (equals < 1) throw new UserError(`parameter ${JSON.stringify(argument)} has no value`, { fix: "write -p name=value" });
    const name = argument.slice(0, equals);
    const type = declared[name];
    if (type === undefined) {
      throw new UserError(`the pipeline has no parameter ${JSON.stringify(name)}`, {
        fix: `its parameters are: ${Object.keys(declared).join(", ") || "none"}`,
      });
    }
    values[name] = valueOf(name, argument.slice(equals + 1), type);
  }
  return values;
}

function valueOf(name: string, text: string, type: string): JsonValue {
  if (type === "STRING") return text;
  let value: JsonValue | undefined;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // Not JSON, so none of the types below.
  }
  const isRight =
    type === "NUMBER_INTEGER"
      ? Number.isSafeInteger(value)
      : type === "NUMBER_DOUBLE"
        ? typeof value === "number"
        : type === "BOOLEAN"
          ? typeof value === "boolean"
          : type === "LIST"
            ? Array.isArray(value)
            : typeof value === "object" && value !== null && !Array.isArray(value);
  if (value === undefined || !isRight) {
    throw new UserError(`parameter ${name} takes ${WORDS[type] ?? type}, not ${JSON.stringify(text)}`);
  }
  return value;
}

const WORDS: Readonly<Record<string, string>> = {
  NUMBER_INTEGER: "a whole number",
  NUMBER_DOUBLE: "a number",
  BOOLEAN: "true or false",
  LIST: "a JSON list",
  STRUCT: "a JSON object",
};

interface Declared {
  readonly root?: { readonly inputDefinitions?: { readonly parameters?: Readonly<Record<string, { readonly parameterType?: string }>> } };
}

function declaredIn(ir: string): Record<string, string> {
  const documents = parseAllDocuments(ir);
  const first = ("empty" in documents ? undefined : documents[0]?.toJS()) as (Declared & { pipeline_spec?: Declared }) | null | undefined;
  const parameters = (first?.pipeline_spec ?? first)?.root?.inputDefinitions?.parameters ?? {};
  return Object.fromEntries(Object.entries(parameters).map(([name, { parameterType }]) => [name, parameterType ?? "STRUCT"]));
}
