import type { UserInfo } from "@sluice/client";
import { isJsonObject, UserError } from "@sluice/kubernetes";
import type { RequestAttributes } from "../api-server/api-server-options.ts";

const LEVELS = ["None", "Metadata", "Request", "RequestResponse"] as const;
const STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"] as const;

/** How much is written of a request. */
export type AuditLevel = (typeof LEVELS)[number];

/** The moment that an event is about. */
export type AuditStage = (typeof STAGES)[number];

/** Requests, by all that is given, and how much is written of them. */
export interface AuditRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly {
    readonly group?: string;
    readonly resources?: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** A `Policy` of audit.k8s.io/v1: the first rule that matches counts, and what none does is not written. */
export interface AuditPolicy {
  readonly rules: readonly AuditRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** What the policy wants of one request. */
export interface AuditDecision {
  readonly level: Exclude<AuditLevel, "None">;
  readonly omitStages: readonly AuditStage[];
  readonly omitManagedFields: boolean;
}

/** Judges requests by a policy: undefined for those that are not to be written. */
export function auditDecider(policy: AuditPolicy): (user: UserInfo, attributes: RequestAttributes) => AuditDecision | undefined {
  const rules = policy.rules.map((rule) => ({ rule, decision: decisionOf(rule, policy) }));
  return (user, attributes) => rules.find(({ rule }) => matches(rule, user, attributes))?.decision;
}

function decisionOf({ level, omitStages = [], omitManagedFields }: AuditRule, policy: AuditPolicy): AuditDecision | undefined {
  if (level === "None") return undefined;
  return {
    level,
    omitStages: [...(policy.omitStages ?? []), ...omitStages],
    omitManagedFields: omitManagedFields ?? policy.omitManagedFields ?? false,
  };
}

function matches(rule: AuditRule, user: UserInfo, attributes: RequestAttributes): boolean {
  const { users, userGroups, verbs, resources, namespaces, nonResourceURLs } = rule;
  if (isGiven(users) && !users.includes(user.username)) return false;
  if (isGiven(userGroups) && !user.groups.some((group) => userGroups.includes(group))) return false;
  if (isGiven(verbs) && !verbs.includes(attributes.verb)) return false;
  if (!isGiven(namespaces) && !isGiven(resources)) return !isGiven(nonResourceURLs) || pathMatches(nonResourceURLs, attributes);
  if (attributes.kind === "path") return false;
  if (isGiven(namespaces) && !namespaces.includes(attributes.namespace ?? "")) return false;
  return !isGiven(resources) || resources.some((one) => resourceMatches(one, attributes));
}

/** Whether a list asks for anything: an empty one is as good as none. */
function isGiven<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}

function pathMatches(patterns: readonly string[], attributes: RequestAttributes): boolean {
  if (attributes.kind !== "path") return false;
  const { path } = attributes;
  return patterns.some((pattern) => pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1))));
}

function resourceMatches(
  { group = "", resources, resourceNames }: NonNullable<AuditRule["resources"]>[number],
  { group: wanted, resource, subresource, name = "" }: Extract<RequestAttributes, { kind: "resource" }>,
): boolean {
  if (group !== wanted && group !== "*") return false;
  if (!isGiven(resources)) return true;
  if (isGiven(resourceNames) && !resourceNames.includes(name)) return false;
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`;
  return resources.some(
    (pattern) => pattern === "*" || pattern === whole || pattern === `${resource}/*` || (subresource !== undefined && pattern === `*/${subresource}`),
  );
}

/** Reads a policy as a file has it; a wrong one is a `UserError` that says where. */
export function readAuditPolicy(value: unknown, source: string): AuditPolicy {
  const fail = (why: string): UserError =>
    new UserError(`the audit policy ${source} is wrong: ${why}`, { fix: "write it as a Policy of audit.k8s.io/v1, as for kube-apiserver" });
  if (!isJsonObject(value) || value["kind"] !== "Policy" || value["apiVersion"] !== "audit.k8s.io/v1")
    throw fail("it is no Policy of audit.k8s.io/v1");
  const { rules, omitStages, omitManagedFields } = value;
  if (!Array.isArray(rules) || rules.length === 0) throw fail("rules: there must be at least one");
  return {
    rules: rules.map((rule: unknown, index) => readRule(rule, (why) => fail(`rules[${index}]${why}`))),
    ...readStages(omitStages, fail),
    ...(omitManagedFields === true ? { omitManagedFields } : {}),
  };
}

const LISTS = ["users", "userGroups", "verbs", "namespaces", "nonResourceURLs"] as const;
const RULE_FIELDS: readonly string[] = ["level", "resources", "omitStages", "omitManagedFields", ...LISTS];

function readRule(rule: unknown, fail: (why: string) => Error): AuditRule {
  if (!isJsonObject(rule)) throw fail(": it must be a map");
  const unknown = Object.keys(rule).find((field) => !RULE_FIELDS.includes(field));
  if (unknown !== undefined) throw fail(`.${unknown}: there is no such field`);
  const level = LEVELS.find((one) => one === rule["level"]);
  if (level === undefined) throw fail(`.level: it must be one of ${LEVELS.join(", ")}`);
  const { resources, omitManagedFields } = rule;
  if (rule["nonResourceURLs"] !== undefined && (resources !== undefined || rule["namespaces"] !== undefined)) {
    throw fail(": it cannot be about resources and about other paths at once");
  }
  return {
    level,
    ...Object.fromEntries(
      LISTS.flatMap((field) =>
        rule[field] === undefined ? [] : [[field, readTexts(rule[field], () => fail(`.${field}: it must be a list of texts`))]],
      ),
    ),
    ...(resources === undefined ? {} : { resources: readResources(resources, fail) }),
    ...readStages(rule["omitStages"], fail),
    ...(typeof omitManagedFields === "boolean" ? { omitManagedFields } : {}),
  };
}

function readResources(value: unknown, fail: (why: string) => Error): NonNullable<AuditRule["resources"]> {
  const wrong = (): Error => fail(".resources: it must be a list of {group, resources, resourceNames}");
  if (!Array.isArray(value)) throw wrong();
  return value.map((one: unknown) => {
    if (!isJsonObject(one)) throw wrong();
    const { group = "", resources = [], resourceNames = [] } = one;
    if (typeof group !== "string") throw wrong();
    return { group, resources: readTexts(resources, wrong), resourceNames: readTexts(resourceNames, wrong) };
  });
}

function readStages(value: unknown, fail: (why: string) => Error): { readonly omitStages?: readonly AuditStage[] } {
  if (value === undefined) return {};
  const wrong = (): Error => fail(`.omitStages: it must be a list of ${STAGES.join(", ")}`);
  return {
    omitStages: readTexts(value, wrong).map((text) => {
      const stage = STAGES.find((one) => one === text);
      if (stage === undefined) throw wrong();
      return stage;
    }),
  };
}

function readTexts(value: unknown, wrong: () => Error): string[] {
  if (!Array.isArray(value) || !value.every((one: unknown) => typeof one === "string")) throw wrong();
  return value;
}
