import type { Logger } from "@sluice/controller";
import { CelError, DYN, NULL, objectOf, STRING, BOOL, type CelProgram, type CelType } from "@sluice/cel";
import {
  isApiError,
  type MatchResources,
  type UnknownObject,
  type ValidatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
  type Validation,
} from "@sluice/kubernetes";
import { compileConditions, tryCompile, type CompiledCondition, type ExpressionOptions } from "../expressions.ts";
import { RequestMatcher } from "../match.ts";

export type Policy = UnknownObject & ValidatingAdmissionPolicy;
export type Binding = UnknownObject & ValidatingAdmissionPolicyBinding;
/** An expression that is ready, or why it never will be. */
type Program = CelProgram | CelError;

/** A policy's expressions. */
export interface CompiledPolicy {
  readonly policy: Policy;
  readonly matcher: RequestMatcher;
  readonly conditions: readonly CompiledCondition[];
  readonly variables: readonly { readonly name: string; readonly program: Program }[];
  readonly validations: readonly { readonly validation: Validation; readonly program: Program; readonly message: Program | undefined }[];
  readonly annotations: readonly { readonly key: string; readonly program: Program }[];
}

/** Where a policy applies, and what then happens. */
interface CompiledBinding {
  readonly binding: Binding;
  /** Absent where it narrows nothing. */
  readonly matcher: RequestMatcher | undefined;
}

/** A policy with its bindings: only these make it apply. */
export interface BoundPolicy extends CompiledPolicy {
  readonly bindings: readonly CompiledBinding[];
}

/** What the expression of an audit annotation may evaluate to. */
export const ANNOTATION_TYPES: readonly CelType[] = [STRING, NULL];

const policies = new WeakMap<UnknownObject, CompiledPolicy | "senseless">();
const bindings = new WeakMap<UnknownObject, CompiledBinding | "senseless">();

/** The policies that are bound, in the order of their names. What makes no sense, though it is stored, is left out. */
export function boundPolicies(allPolicies: readonly UnknownObject[], allBindings: readonly UnknownObject[], logger: Logger): readonly BoundPolicy[] {
  const compiled = allBindings.flatMap((one) => {
    const binding = remembered(bindings, one, () => compileBinding(one as Binding), logger);
    return binding === undefined ? [] : [binding];
  });
  return allPolicies.flatMap((one) => {
    const bound = compiled.filter(({ binding }) => binding.spec.policyName === one.metadata.name);
    if (bound.length === 0) return [];
    const policy = remembered(policies, one, () => compilePolicy(one as Policy), logger);
    return policy === undefined ? [] : [{ ...policy, bindings: bound }];
  });
}

function remembered<T>(memory: WeakMap<UnknownObject, T | "senseless">, object: UnknownObject, compile: () => T, logger: Logger): T | undefined {
  let known = memory.get(object);
  if (known === undefined) {
    try {
      known = compile();
    } catch (error) {
      if (!isApiError(error)) throw error;
      // Nothing like it can be created; one that is stored nevertheless must not stop every write.
      logger.error("an admission policy or binding that makes no sense is ignored", { kind: object.kind, name: object.metadata.name, error });
      known = "senseless";
    }
    memory.set(object, known);
  }
  return known === "senseless" ? undefined : known;
}

function compileBinding(binding: Binding): CompiledBinding {
  const { matchResources } = binding.spec;
  return { binding, matcher: matchResources === undefined ? undefined : matcherOf(matchResources) };
}

/** Compiles a policy; what is wrong with its expressions shows when they are evaluated. */
function compilePolicy(policy: Policy): CompiledPolicy {
  const { spec } = policy;
  const hasParams = spec.paramKind !== undefined;
  const { variables, type } = compileVariables(policy);
  const options: ExpressionOptions = { hasParams, variables: type };
  return {
    policy,
    matcher: matcherOf(spec.matchConstraints ?? {}),
    conditions: compileConditions(spec.matchConditions ?? [], { hasParams }),
    variables,
    validations: (spec.validations ?? []).map((validation) => ({
      validation,
      program: tryCompile(validation.expression, [BOOL], options),
      message:
        (validation.messageExpression ?? "") === ""
          ? undefined
          : tryCompile(validation.messageExpression ?? "", [STRING], { ...options, hasAuthorizer: false }),
    })),
    annotations: (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      program: tryCompile(valueExpression, ANNOTATION_TYPES, options),
    })),
  };
}

/** The variables of a policy, each of which may refer to those before it, and the type of `variables`. */
export function compileVariables(
  { spec }: Policy,
  options: ExpressionOptions = {},
): { readonly variables: CompiledPolicy["variables"]; readonly type: CelType | undefined } {
  const hasParams = spec.paramKind !== undefined;
  const fields: Record<string, CelType> = {};
  const typeSoFar = (): CelType => objectOf("kubernetes.variables", { ...fields });
  const variables = (spec.variables ?? []).map(({ name, expression }) => {
    const program = tryCompile(expression, [], { ...options, hasParams, variables: typeSoFar() });
    fields[name] = program instanceof CelError ? DYN : program.type;
    return { name, program };
  });
  return { variables, type: variables.length === 0 ? undefined : typeSoFar() };
}

function matcherOf({
  resourceRules = [],
  excludeResourceRules = [],
  matchPolicy,
  namespaceSelector,
  objectSelector,
}: MatchResources): RequestMatcher {
  return new RequestMatcher({
    rules: resourceRules,
    excludeRules: excludeResourceRules,
    matchPolicy,
    namespaceSelector,
    objectSelector,
    matchesWithoutRules: true,
  });
}
