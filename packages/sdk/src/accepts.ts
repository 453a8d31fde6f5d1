import { isReference, isText } from "./graph.ts";
import type { JsonValue, ParameterType, PortType } from "./types.ts";

function fits(value: unknown, type: ParameterType): boolean {
  if (type.literals !== undefined && !type.literals.includes(value as JsonValue)) return false;
  switch (type.parameterType) {
    case "NUMBER_DOUBLE":
      return typeof value === "number" && Number.isFinite(value);
    case "NUMBER_INTEGER":
      return Number.isSafeInteger(value);
    case "STRING":
      return typeof value === "string";
    case "BOOLEAN":
      return typeof value === "boolean";
    case "LIST":
      return Array.isArray(value);
    case "STRUCT":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "TASK_FINAL_STATUS":
    case "TASK_CONFIG":
      return false;
  }
}

function accepts(to: PortType, from: PortType): boolean {
  if (to.kind === "artifact") {
    return from.kind === "artifact" && to.list === from.list && (to.schemaTitle === "system.Artifact" || to.schemaTitle === from.schemaTitle);
  }
  if (from.kind !== "parameter") return false;
  const numeric = (type: ParameterType): boolean => type.parameterType.startsWith("NUMBER_");
  return to.parameterType === "STRING" || to.parameterType === from.parameterType || (numeric(to) && numeric(from));
}

/** Why a value cannot be passed for an input, or undefined if it can. */
export function mismatch(type: PortType, value: unknown): string | undefined {
  const isFine = isReference(value)
    ? accepts(type, value.type)
    : type.kind === "parameter" && (isText(value) ? type.parameterType === "STRING" && type.literals === undefined : fits(value, type));
  if (isFine) return undefined;
  const given = isReference(value) ? describe(value.type) : isText(value) ? "a text" : JSON.stringify(value);
  return `takes ${describe(type)}, not ${given}`;
}

/** A type in words, for messages. */
export function describe(type: PortType): string {
  if (type.kind === "parameter") return type.literals === undefined ? type.parameterType : `one of ${JSON.stringify(type.literals)}`;
  return `${type.list ? "a list of " : ""}${type.schemaTitle}`;
}

/** The type of many values of a type, as a loop gives them. */
export function listOf(type: PortType): PortType {
  return type.kind === "artifact" ? { ...type, list: true } : { kind: "parameter", parameterType: "LIST", optional: false, element: type };
}
