import { UserError } from "@sluice/kubernetes";
import { isJsonObject, parameterText } from "../domain/executor-input.ts";
import type { ComponentSpec, InputParameterSpec, JsonObject, JsonValue, ParameterType } from "../domain/ir.ts";
import { own } from "./plan.ts";

const LEGACY = { INT: "NUMBER_INTEGER", DOUBLE: "NUMBER_DOUBLE", STRING: "STRING" } as const;

/** The declared type of a parameter, whichever spelling it has. */
export function typeOf(spec: Pick<InputParameterSpec, "type" | "parameterType">): ParameterType {
  return spec.parameterType ?? (spec.type === undefined ? "STRING" : LEGACY[spec.type]);
}

/** Whether a value is of a type; integers are not told from other numbers, as on the wire. */
function isOfType(value: JsonValue, type: ParameterType): boolean {
  switch (type) {
    case "STRING":
      return typeof value === "string";
    case "NUMBER_INTEGER":
    case "NUMBER_DOUBLE":
      return typeof value === "number";
    case "BOOLEAN":
      return typeof value === "boolean";
    case "LIST":
      return Array.isArray(value);
    case "STRUCT":
    case "TASK_FINAL_STATUS":
    case "TASK_CONFIG":
      return isJsonObject(value);
  }
}

function kindOf(value: JsonValue): string {
  if (typeof value === "number") return "NUMBER";
  if (typeof value === "object") return Array.isArray(value) ? "LIST" : "STRUCT";
  return typeof value === "string" ? "STRING" : "BOOLEAN";
}

function isSame(a: JsonValue, b: JsonValue): boolean {
  return a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}

/** A value as its input declares it: anything becomes text for a STRING, other types must fit, and so must literals. */
export function conform(name: string, value: JsonValue, spec: InputParameterSpec): JsonValue {
  const type = typeOf(spec);
  const converted = type === "STRING" ? parameterText(value) : value;
  if (!isOfType(converted, type)) {
    throw new UserError(`input parameter ${JSON.stringify(name)} type mismatch: expected ${type}, got ${kindOf(value)}`);
  }
  const literals = spec.literals ?? [];
  if (literals.length > 0 && !literals.some((literal) => isSame(literal, converted))) {
    const allowed = literals.map((literal) => JSON.stringify(literal)).join(", ");
    throw new UserError(`input parameter ${JSON.stringify(name)} must be one of ${allowed}, got ${JSON.stringify(converted)}`);
  }
  return converted;
}

/** The given values of a component's input parameters, and its defaults for those not given. */
export function withDefaults(component: ComponentSpec, given: JsonObject): JsonObject {
  const defaults: Record<string, JsonValue> = {};
  for (const [name, spec] of Object.entries(component.inputDefinitions?.parameters ?? {})) {
    const value = spec.defaultValue ?? null;
    if (value !== null && !Object.hasOwn(given, name)) defaults[name] = conform(name, value, spec);
  }
  return { ...defaults, ...given };
}

/** A run's parameters, checked and with defaults; a `UserError` says which is missing, unknown or of a wrong type. */
export function runParameters(root: ComponentSpec, given: JsonObject): JsonObject {
  const declared = root.inputDefinitions?.parameters ?? {};
  const values: Record<string, JsonValue> = {};
  for (const [name, value] of Object.entries(given)) {
    const spec = own(declared, name);
    if (spec === undefined) {
      const known = Object.keys(declared).join(", ") || "none";
      throw new UserError(`the pipeline has no input parameter ${JSON.stringify(name)}`, { fix: `Its inputs are: ${known}.` });
    }
    if (value !== null) values[name] = conform(name, value, spec);
  }
  const complete = withDefaults(root, values);
  for (const [name, spec] of Object.entries(declared)) {
    if (!Object.hasOwn(complete, name) && spec.isOptional !== true) {
      throw new UserError(`the pipeline's input parameter ${JSON.stringify(name)} has no value and no default`);
    }
  }
  return complete;
}
