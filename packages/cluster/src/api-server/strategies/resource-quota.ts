import {
  parseQuantity,
  type Cause,
  type ResourceQuota,
  type ResourceQuotaScope,
  type ResourceQuotaSpec,
  type ScopedResourceSelectorRequirement,
  type UnknownObject,
} from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
import { isQuotaResource, isWhole, quotaResourceProblems, refused } from "./resource-names.ts";

const WHOLE_UNIT = 1_000_000_000n;
const OPPOSITES = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;
const POD_COMPUTE: readonly string[] = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
/** The resources that a scope can narrow, of those that have no group. */
const RESOURCES_OF_SCOPE: Readonly<Record<ResourceQuotaScope, readonly string[]>> = {
  BestEffort: ["pods"],
  NotBestEffort: ["pods", ...POD_COMPUTE],
  Terminating: ["pods", ...POD_COMPUTE],
  NotTerminating: ["pods", ...POD_COMPUTE],
  PriorityClass: ["pods", ...POD_COMPUTE],
  CrossNamespacePodAffinity: ["pods", ...POD_COMPUTE],
  VolumeAttributesClass: ["persistentvolumeclaims", "requests.storage"],
};

/** Quotas: bounds on what is known, for scopes that make sense together and stay. */
export const resourceQuotaStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
  prepareCreate: (object) => ({ ...object, status: {} }),
  validate: (next, current) => {
    const { spec, status = {} } = next as UnknownObject & ResourceQuota;
    const before = (current as (UnknownObject & ResourceQuota) | undefined)?.spec.scopes ?? [];
    const { scopes = [] } = spec;
    const hasMoved = current !== undefined && (scopes.length !== before.length || !scopes.every((scope) => before.includes(scope)));
    return [
      ...amountProblems(spec.hard, "spec.hard"),
      ...amountProblems(status.hard, "status.hard"),
      ...amountProblems(status.used, "status.used"),
      ...scopeProblems(spec),
      ...selectorProblems(spec),
      ...(hasMoved ? [refused("spec.scopes", scopes, "field is immutable")] : []),
    ];
  },
};

function amountProblems(amounts: Readonly<Record<string, string>> = {}, path: string): Cause[] {
  return Object.entries(amounts).flatMap(([name, text]) => {
    const field = `${path}[${name}]`;
    const { nanos } = parseQuantity(text);
    return [
      ...quotaResourceProblems(name, field),
      ...(nanos < 0n ? [refused(field, text, "must be greater than or equal to 0")] : []),
      ...(isWhole(name) && nanos % WHOLE_UNIT !== 0n ? [refused(field, text, "must be an integer")] : []),
    ];
  });
}

function scopeProblems({ scopes = [], hard = {} }: ResourceQuotaSpec): Cause[] {
  return [
    ...scopes.flatMap((scope) => [
      ...(isScope(scope) ? [] : [refused("spec.scopes", scopes, "unsupported scope")]),
      ...outOfScope(scope, hard).map(() => refused("spec.scopes", scopes, "unsupported scope applied to resource")),
    ]),
    ...conflicts(scopes).map(() => refused("spec.scopes", scopes, "conflicting scopes")),
  ];
}

function selectorProblems({ scopeSelector, scopes = [], hard = {} }: ResourceQuotaSpec): Cause[] {
  const path = "spec.scopeSelector.matchExpressions";
  const requirements = scopeSelector?.matchExpressions ?? [];
  return [
    ...requirements.flatMap((one) => [
      ...(isScope(one.scopeName) ? [] : [refused(`${path}.scopeName`, one.scopeName, "unsupported scope")]),
      ...outOfScope(one.scopeName, hard).map(() => refused(path, scopeSelector, "unsupported scope applied to resource")),
      ...operatorProblems(one, path),
    ]),
    ...conflicts(requirements.map(({ scopeName }) => scopeName)).map(() => refused(path, scopes, "conflicting scopes")),
  ];
}

function operatorProblems({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement, path: string): Cause[] {
  const isNameless = scopeName !== "PriorityClass" && scopeName !== "VolumeAttributesClass" && isScope(scopeName);
  const misused =
    isNameless && operator !== "Exists"
      ? [
          refused(
            `${path}.operator`,
            operator,
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
          ),
        ]
      : [];
  switch (operator) {
    case "In":
    case "NotIn": {
      const message = "Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
      return values.length > 0 ? misused : [...misused, { reason: "FieldValueRequired", field: `${path}.values`, message }];
    }
    case "Exists":
    case "DoesNotExist":
      return values.length === 0
        ? misused
        : [...misused, refused(`${path}.values`, values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")];
    default:
      return [...misused, refused(`${path}.operator`, operator, "not a valid selector operator")];
  }
}

function isScope(scope: string): scope is ResourceQuotaScope {
  return Object.hasOwn(RESOURCES_OF_SCOPE, scope);
}

function outOfScope(scope: ResourceQuotaScope, hard: Readonly<Record<string, string>>): string[] {
  const allowed = isScope(scope) ? RESOURCES_OF_SCOPE[scope] : undefined;
  return Object.keys(hard).filter((name) => isQuotaResource(name) && allowed !== undefined && !allowed.includes(name));
}

function conflicts(scopes: readonly ResourceQuotaScope[]): (typeof OPPOSITES)[number][] {
  return OPPOSITES.filter((pair) => pair.every((scope) => scopes.includes(scope)));
}
