import { isReference, type Condition, type Reference, type Scope } from "./graph.ts";
import type { Wiring } from "./wiring.ts";

/** When a condition's block runs, in the expression language; the values it compares become inputs of the block. */
export function conditionText(scope: Scope, wiring: Wiring): string | undefined {
  if (scope.kind !== "condition") return undefined;
  const siblings = scope.parent?.kind === "branches" ? scope.parent.nodes : [scope];
  const before = siblings.slice(0, siblings.indexOf(scope)).flatMap((node) => (node.kind === "condition" && node.condition ? [node.condition] : []));
  const conditions = [...before.map((condition): Condition => ({ kind: "not", condition })), ...(scope.condition ? [scope.condition] : [])];
  return textOf({ kind: "all", conditions }, scope, wiring);
}

function textOf(condition: Condition, scope: Scope, wiring: Wiring): string {
  switch (condition.kind) {
    case "not":
      return `!(${textOf(condition.condition, scope, wiring)})`;
    case "all":
      return condition.conditions.map((one) => textOf(one, scope, wiring)).join(" && ");
    case "compare": {
      const { left, operator, right } = condition;
      return `${operand(left, scope, wiring)} ${operator} ${isReference(right) ? operand(right, scope, wiring) : literal(right, left)}`;
    }
  }
}

function operand(reference: Reference, scope: Scope, wiring: Wiring): string {
  const text = `inputs.parameter_values['${wiring.input(reference, scope)}']`;
  return isOf(reference, "NUMBER_INTEGER") ? `int(${text})` : text;
}

/** A constant that compares with `left`: a double needs its point. */
function literal(value: string | number | boolean, left: Reference): string {
  if (typeof value === "string") return `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n")}'`;
  return typeof value === "number" && Number.isInteger(value) && isOf(left, "NUMBER_DOUBLE") ? value.toFixed(1) : String(value);
}

function isOf({ type }: Reference, name: string): boolean {
  return type.kind === "parameter" && type.parameterType === name;
}
