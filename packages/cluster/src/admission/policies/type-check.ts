import { CelError, celTypeOf, type CelType } from "@sluice/cel";
import { apiVersionOf, builtinDefinition, type ExpressionWarning, type Resource } from "@sluice/kubernetes";
import { tryCompile, type ExpressionOptions } from "../expressions.ts";
import { compileVariables, type Policy } from "./compiled-policy.ts";

/** As many kinds are checked of all that a policy matches. */
const MAX_KINDS = 10;

/**
 * What is suspicious about a policy's expressions, given what the kinds that it names look like. It is only told: a policy
 * may match kinds that are yet to come.
 */
export function typeCheck(policy: Policy, served: readonly Resource[]): readonly ExpressionWarning[] {
  const { validations = [], paramKind } = policy.spec;
  const kinds = kindsOf(policy, served);
  const params = paramKind && served.find(({ kind, ...one }) => kind === paramKind.kind && apiVersionOf(one) === paramKind.apiVersion);
  const paramsType = params && typeOf(params);
  const check = (expression: string, fieldRef: string): ExpressionWarning[] => {
    const warnings = kinds.flatMap((kind) => {
      const object = typeOf(kind);
      if (object === undefined) return [];
      const options: ExpressionOptions = { hasParams: paramKind !== undefined, object, params: paramsType };
      const program = tryCompile(expression, [], { ...options, variables: compileVariables(policy, options).type });
      return program instanceof CelError ? [`${apiVersionOf(kind)}, Kind=${kind.kind}: ${program.message}\n`] : [];
    });
    return warnings.length === 0 ? [] : [{ fieldRef, warning: warnings.join("\n") }];
  };
  return validations.flatMap(({ expression, messageExpression = "" }, i) => [
    ...check(expression, `spec.validations[${i}].expression`),
    ...(messageExpression === "" ? [] : check(messageExpression, `spec.validations[${i}].messageExpression`)),
  ]);
}

/** The kinds that a policy's rules name in full. */
function kindsOf({ spec: { matchConstraints } }: Policy, served: readonly Resource[]): readonly Resource[] {
  const named = served.filter((one) =>
    (matchConstraints?.resourceRules ?? []).some(
      ({ apiGroups = [], apiVersions = [], resources = [] }) =>
        !apiGroups.includes("*") &&
        !apiVersions.includes("*") &&
        apiGroups.includes(one.group) &&
        apiVersions.includes(one.version) &&
        resources.includes(one.plural),
    ),
  );
  return named.toSorted((a, b) => (apiVersionOf(a) + a.kind < apiVersionOf(b) + b.kind ? -1 : 1)).slice(0, MAX_KINDS);
}

function typeOf({ schema, kind }: Resource): CelType | undefined {
  return celTypeOf(schema, builtinDefinition, { isResourceRoot: true, name: kind });
}
