import { isReference, type Reference, type Text } from "./graph.ts";
import type { ParameterType } from "./types.ts";

/** A template whose values may be references: text`gs://bucket/${name}`. */
export function text(strings: TemplateStringsArray, ...values: readonly (string | number | boolean | Reference<ParameterType>)[]): Text {
  const parts = strings.flatMap((string, i) => {
    const value = values[i];
    return value === undefined ? [string] : [string, isReference(value) ? value : String(value)];
  });
  return { kind: "text", parts: parts.filter((part) => part !== "") };
}
