import { CelBudget, CelError } from "@sluice/cel";
import type { Validation } from "@sluice/kubernetes";
import { evaluateExpression, meetsConditions } from "../expressions.ts";
import type { CompiledPolicy } from "./compiled-policy.ts";

/** A validation that does not hold. */
interface Violation {
  /** Its place among the policy's validations. */
  readonly index: number;
  readonly message: string;
  readonly reason: string;
}

/** What a policy says of a request. */
export interface PolicyVerdict {
  readonly violations: readonly Violation[];
  readonly annotations: readonly { readonly key: string; readonly value: string }[];
  /** Annotations that could not be made, which denies whatever the binding's actions are. */
  readonly annotationErrors: readonly string[];
}

const NOTHING: PolicyVerdict = { violations: [], annotations: [], annotationErrors: [] };
const MAX_MESSAGE_BYTES = 5 * 1024;

/** Evaluates a policy; `conditionBindings` are what its match conditions see. */
export function evaluatePolicy(
  compiled: CompiledPolicy,
  bindings: Readonly<Record<string, unknown>>,
  conditionBindings: Readonly<Record<string, unknown>>,
): PolicyVerdict {
  const mayFail = compiled.policy.spec.failurePolicy === "Ignore";
  const failed = (index: number, message: string): Violation[] => (mayFail ? [] : [{ index, message, reason: "Invalid" }]);
  const met = meetsConditions(compiled.conditions, conditionBindings);
  if ("error" in met) return { ...NOTHING, violations: failed(0, met.error) };
  if (!met.meets) return NOTHING;

  const budget = new CelBudget();
  const scope = withVariables(compiled, bindings, budget);
  const violations: Violation[] = [];
  for (const [index, { validation, program, message }] of compiled.validations.entries()) {
    const result = evaluateExpression(program, scope, budget);
    if ("error" in result) {
      // Nothing that has been found out counts once the budget is spent.
      if (result.isSpent) return { ...NOTHING, violations: failed(0, result.error) };
      violations.push(...failed(index, result.error));
    } else if (result.value !== true) {
      const made = message === undefined ? undefined : evaluateExpression(message, scope, budget);
      if (made !== undefined && "error" in made && made.isSpent) violations.push(...failed(index, `failed messageExpression: ${made.error}`));
      else
        violations.push({
          index,
          message: messageOf(validation, made !== undefined && "value" in made ? made.value : undefined),
          reason: validation.reason ?? "Invalid",
        });
    }
  }
  return { violations, ...annotate(compiled, bindings, mayFail) };
}

function annotate(
  compiled: CompiledPolicy,
  bindings: Readonly<Record<string, unknown>>,
  mayFail: boolean,
): Pick<PolicyVerdict, "annotations" | "annotationErrors"> {
  const budget = new CelBudget();
  const scope = withVariables(compiled, bindings, budget);
  const annotations: { key: string; value: string }[] = [];
  const annotationErrors: string[] = [];
  for (const { key, program } of compiled.annotations) {
    const result = evaluateExpression(program, scope, budget);
    if ("error" in result) {
      if (!mayFail) annotationErrors.push(result.error);
    } else if (typeof result.value === "string" && result.value.trim() !== "") annotations.push({ key, value: result.value.trim() });
  }
  return { annotations, annotationErrors };
}

/** The bindings with the policy's variables, each of which is evaluated once, if and when an expression needs it. */
function withVariables(
  { variables }: CompiledPolicy,
  bindings: Readonly<Record<string, unknown>>,
  budget: CelBudget,
): Readonly<Record<string, unknown>> {
  if (variables.length === 0) return bindings;
  const values: Record<string, () => unknown> = {};
  const scope = { ...bindings, variables: values };
  for (const { name, program } of variables) {
    let outcome: { readonly value: unknown } | { readonly error: CelError } | undefined;
    values[name] = () => {
      if (program instanceof CelError)
        throw new CelError("evaluation", `composited variable ${JSON.stringify(name)} fails to compile: ${program.message}`);
      outcome ??= attempt(() => program.evaluateRaw(scope, budget), name);
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    };
  }
  return scope;
}

function attempt(evaluate: () => unknown, name: string): { readonly value: unknown } | { readonly error: CelError } {
  try {
    return { value: evaluate() };
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const message = `composited variable ${JSON.stringify(name)} fails to evaluate: ${error.message}`;
    return { error: error.kind === "evaluation" ? new CelError("evaluation", message) : error };
  }
}

/** Why a request is denied: as the message expression says, or the message, or else the expression itself. */
function messageOf({ message = "", expression }: Validation, made: unknown): string {
  const text = typeof made === "string" ? made.trim() : "";
  if (text !== "" && !text.includes("\n") && Buffer.byteLength(text) <= MAX_MESSAGE_BYTES) return text;
  return message.trim() === "" ? `failed expression: ${expression.trim()}` : message.trim();
}
