import type { PolicyRule } from "@sluice/kubernetes";
import type { RequestAttributes } from "../api-server/api-server-options.ts";

/** Whether a rule of a role allows a request. */
export function ruleAllows(rule: PolicyRule, attributes: RequestAttributes): boolean {
  if (!includes(rule.verbs, attributes.verb)) return false;
  if (attributes.kind === "path") return (rule.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, attributes.path));
  const { group, resource, subresource, name } = attributes;
  const { apiGroups = [], resources = [], resourceNames = [] } = rule;
  return (
    includes(apiGroups, group) &&
    resources.some((pattern) => resourceMatches(pattern, resource, subresource)) &&
    (resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name)))
  );
}

function includes(patterns: readonly string[], value: string): boolean {
  return patterns.includes(value) || patterns.includes("*");
}

/** `*` is everything; `pods/log` one subresource, which `pods` does not include; and `*` before the slash any resource. */
function resourceMatches(pattern: string, resource: string, subresource: string | undefined): boolean {
  if (pattern === "*") return true;
  return subresource === undefined ? pattern === resource : pattern === `${resource}/${subresource}` || pattern === `*/${subresource}`;
}

/** A star stands only at the end, for anything. */
function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
