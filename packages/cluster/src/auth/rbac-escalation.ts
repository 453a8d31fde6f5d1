import { jsonEqual } from "@sluice/kubernetes";
import type { UserInfo } from "@sluice/client";
import type { ClusterRole, PolicyRule, Role, RoleBinding, UnknownObject } from "@sluice/kubernetes";
import { forbidden } from "../api-server/api-errors.ts";
import type { RequestAttributes, WriteGuard } from "../api-server/api-server-options.ts";
import type { RbacAuthorizer } from "./rbac-authorizer.ts";
import { ruleAllows } from "./rbac-rules.ts";

const GROUP = "rbac.authorization.k8s.io";

/** Nobody gives, by a role or a binding, what they do not have, unless they may `escalate` that role or `bind` to it. */
export function guardAgainstEscalation(authorizer: RbacAuthorizer): WriteGuard {
  return ({ user, resource, next, current }) => {
    if (resource.group !== GROUP || user.groups.includes("system:masters")) return;
    const { name, namespace } = next.metadata;
    const may = (verb: string, plural: string, of: string): boolean =>
      authorizer.authorize(user, { kind: "resource", verb, group: GROUP, version: "v1", resource: plural, namespace, name: of }).allowed;
    const given = givenRules(next, current, (ref) =>
      may("bind", ref.kind === "Role" ? "roles" : "clusterroles", ref.name) ? [] : authorizer.rulesOfRole(ref, namespace),
    );
    if (given.length === 0 || (isRole(next) && may("escalate", resource.plural, name))) return;
    const held = [...authorizer.rulesOf(user, namespace)].flatMap(({ rules }) => rules);
    const missing = given.filter((rule) => !atomsOf(rule).every((atom) => held.some((own) => ruleAllows(own, atom))));
    if (missing.length > 0) throw forbidden(resource, name, refusal(user, missing));
  };
}

/** What a write gives that its object did not give before. */
function givenRules(
  next: UnknownObject,
  current: UnknownObject | undefined,
  rulesOfRef: (ref: RoleBinding["roleRef"]) => readonly PolicyRule[],
): readonly PolicyRule[] {
  const isSame = (field: string): boolean => current !== undefined && jsonEqual(next[field], current[field]);
  if (!isRole(next)) return isSame("subjects") && isSame("roleRef") ? [] : rulesOfRef((next as UnknownObject & RoleBinding).roleRef);
  const { rules = [], aggregationRule } = next as UnknownObject & (Role & Partial<ClusterRole>);
  // What a role aggregates can be anything, now or later.
  const unbounded = aggregationRule === undefined || isSame("aggregationRule") ? [] : [EVERYTHING, EVERY_PATH];
  return [...(isSame("rules") ? [] : rules), ...unbounded];
}

const EVERYTHING: PolicyRule = { apiGroups: ["*"], resources: ["*"], verbs: ["*"] };
const EVERY_PATH: PolicyRule = { nonResourceURLs: ["*"], verbs: ["*"] };

function isRole({ kind }: UnknownObject): boolean {
  return kind === "Role" || kind === "ClusterRole";
}

/** A rule as the single requests that it allows; a star is one that only a star allows. */
function atomsOf({ verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] }: PolicyRule): RequestAttributes[] {
  return verbs.flatMap((verb): RequestAttributes[] => [
    ...nonResourceURLs.map((path) => ({ kind: "path" as const, verb, path })),
    ...apiGroups.flatMap((group) =>
      resources.flatMap((pattern) => {
        const [resource = "", subresource] = pattern.split("/");
        const names = resourceNames.length === 0 ? [undefined] : resourceNames;
        return names.map((name) => ({ kind: "resource" as const, verb, group, version: "v1", resource, subresource, name }));
      }),
    ),
  ]);
}

function refusal({ username, groups }: UserInfo, missing: readonly PolicyRule[]): string {
  const list = (name: string, values: readonly string[] = []): string[] => (values.length === 0 ? [] : [`${name}:${JSON.stringify(values)}`]);
  const lines = missing.map(({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }) => {
    const parts = [
      ...list("APIGroups", apiGroups),
      ...list("Resources", resources),
      ...list("ResourceNames", resourceNames),
      ...list("NonResourceURLs", nonResourceURLs),
      ...list("Verbs", verbs),
    ];
    return `{${parts.join(", ")}}`;
  });
  return `user ${JSON.stringify(username)} (groups=${JSON.stringify(groups)}) is attempting to grant RBAC permissions not currently held:\n${lines.join("\n")}`;
}
