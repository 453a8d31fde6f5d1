import { CelBudget, rulesOf, validateRules, type RuleNode } from "@sluice/cel";
import type { Cause, Schema, UnknownObject } from "@sluice/kubernetes";

const known = new WeakMap<Schema, RuleNode | "none">();

/** After these the rules of a schema would only find the same faults again, or fail. */
const BLOCKING = new Set<Cause["reason"]>([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueDuplicate",
  "FieldValueTypeInvalid",
]);

const NOT_CHECKED: Cause = {
  reason: "FieldValueInvalid",
  field: "",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
};

/** What is wrong with a custom object, with what the rules of its schema find; they are compiled once for each version of a definition. */
export function withRuleCauses(schema: Schema, object: UnknownObject, before: UnknownObject | undefined, causes: readonly Cause[]): readonly Cause[] {
  const rules = rulesOfSchema(schema);
  if (rules === undefined) return causes;
  if (causes.some(({ reason }) => BLOCKING.has(reason))) return [...causes, NOT_CHECKED];
  return [...causes, ...validateRules(rules, object, before, new CelBudget())];
}

function rulesOfSchema(schema: Schema): RuleNode | undefined {
  let rules = known.get(schema);
  if (rules === undefined) known.set(schema, (rules = rulesOf(schema) ?? "none"));
  return rules === "none" ? undefined : rules;
}
