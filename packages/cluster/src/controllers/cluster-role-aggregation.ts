import { defineController, type Controller } from "@sluice/controller";
import { ClusterRole, jsonEqual, labelSelectorFrom, type PolicyRule } from "@sluice/kubernetes";

const NAME = "clusterrole-aggregation-controller";

/** Gives the roles that are the sum of others the rules of those others. */
export function clusterRoleAggregationController(): Controller {
  return defineController({
    name: NAME,
    // What any role becomes may matter to each that aggregates.
    watches: [
      {
        resource: ClusterRole,
        keys: (_, cache) =>
          cache.list(ClusterRole).flatMap(({ aggregationRule, metadata: { name } }) => (aggregationRule === undefined ? [] : [{ name }])),
      },
    ],
    async reconcile({ name }, { cache, client }) {
      const role = cache.get(ClusterRole, { name });
      if (role?.aggregationRule === undefined || role.metadata.deletionTimestamp !== undefined) return;
      const rules = sumOf(role, cache.list(ClusterRole));
      if (jsonEqual(rules, role.rules ?? [])) return;
      const { apiVersion, kind } = role;
      await client.apply(ClusterRole, { apiVersion, kind, metadata: { name }, rules }, { owner: NAME, force: true });
    },
  });
}

/** The rules of all other roles that a role's selectors choose, each once, by the roles' names. */
function sumOf({ aggregationRule, metadata: { name } }: ClusterRole, roles: readonly ClusterRole[]): PolicyRule[] {
  const sorted = roles.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const rules = (aggregationRule?.clusterRoleSelectors ?? []).flatMap((spec) => {
    const selector = labelSelectorFrom(spec);
    return sorted.filter(({ metadata }) => metadata.name !== name && selector.matches(metadata.labels)).flatMap((one) => one.rules ?? []);
  });
  return rules.filter((rule, index) => rules.findIndex((one) => jsonEqual(one, rule)) === index);
}
