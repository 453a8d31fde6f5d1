import { builtinResources, jsonEqual, resourcesOfCrd, type CustomResourceDefinition, type UnknownObject } from "@sluice/kubernetes";
import type { Policy } from "../../admission/policies/compiled-policy.ts";
import { typeCheck } from "../../admission/policies/type-check.ts";
import { validatePolicy, validatePolicyBinding } from "../../admission/policies/validate-policies.ts";
import type { Strategy, StrategyContext } from "../strategy.ts";

/** Admission policies: their expressions must compile, and are checked against what they will see. */
export const admissionPolicyStrategy: Strategy = {
  hasGeneration: true,
  prepareCreate: (object, context) => checked(object as Policy, 1, context),
  prepareUpdate: (next, current, context) =>
    jsonEqual(next["spec"], current["spec"]) ? next : checked(next as Policy, (current.metadata.generation ?? 0) + 1, context),
  validate: validatePolicy,
};

/** What makes policies apply. */
export const admissionPolicyBindingStrategy: Strategy = { hasGeneration: true, validate: validatePolicyBinding };

function checked(policy: Policy, observedGeneration: number, { list }: StrategyContext): UnknownObject {
  const definitions = list("customresourcedefinitions.apiextensions.k8s.io") as (UnknownObject & CustomResourceDefinition)[];
  const expressionWarnings = typeCheck(policy, [...builtinResources, ...definitions.flatMap((one) => resourcesOfCrd(one))]);
  const typeChecking = expressionWarnings.length === 0 ? {} : { expressionWarnings: [...expressionWarnings] };
  return { ...policy, status: { ...policy.status, observedGeneration, typeChecking } };
}
