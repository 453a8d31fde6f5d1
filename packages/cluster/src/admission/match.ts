import {
  labelSelectorFrom,
  type LabelSelector,
  type LabelSelectorSpec,
  type MatchPolicyType,
  type NamedRuleWithOperations,
  type Resource,
  type UnknownObject,
} from "@sluice/kubernetes";
import { notFound } from "../api-server/api-errors.ts";
import type { Store } from "../store/store.ts";
import type { AdmissionRequest } from "./admission.ts";
import { equivalentsOf } from "./kinds.ts";

/** Which requests somebody judges, as configurations say it. */
export interface MatchSpec {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly excludeRules?: readonly NamedRuleWithOperations[];
  readonly matchPolicy: MatchPolicyType | undefined;
  readonly namespaceSelector: LabelSelectorSpec | undefined;
  readonly objectSelector: LabelSelectorSpec | undefined;
  /** Having no rules means having no objection. */
  readonly matchesWithoutRules?: boolean;
}

/** A judge's interest in requests of one sort. */
export interface Interest<T> {
  readonly judge: T;
  /** Its place among all judges. */
  readonly index: number;
  /** The version in which it wants to see them. */
  readonly resource: Resource;
}

/** Decides whether a request matches, by its rules and then by the labels of its namespace and objects. */
export class RequestMatcher {
  readonly #spec: MatchSpec;
  readonly #namespaces: LabelSelector;
  readonly #objects: LabelSelector;
  readonly #hasNames: boolean;

  constructor(spec: MatchSpec) {
    this.#spec = spec;
    this.#namespaces = labelSelectorFrom(spec.namespaceSelector ?? {});
    this.#objects = labelSelectorFrom(spec.objectSelector ?? {});
    this.#hasNames = (spec.excludeRules ?? []).length > 0 || spec.rules.some(({ resourceNames = [] }) => resourceNames.length > 0);
  }

  /** The version in which requests of this sort would match, whatever the names and labels of their objects. */
  interest(request: AdmissionRequest, served: readonly Resource[]): Resource | undefined {
    const { rules, matchPolicy, matchesWithoutRules } = this.#spec;
    if (rules.length === 0 && matchesWithoutRules === true) return request.resource;
    const matched = (resource: Resource): boolean => rules.some((rule) => matchesSort(rule, request, resource));
    if (matched(request.resource)) return request.resource;
    return matchPolicy === "Exact" ? undefined : equivalentsOf(request.resource, served).find(matched);
  }

  /** Whether a request of an interesting sort matches in particular. Throws NotFound if its namespace is not there. */
  matches(request: AdmissionRequest, store: Pick<Store, "get">, served: readonly Resource[]): boolean {
    return this.#matchesObject(request) && (!this.#hasNames || this.#matchesName(request, served)) && this.#matchesNamespace(request, store);
  }

  #matchesName(request: AdmissionRequest, served: readonly Resource[]): boolean {
    const { rules, excludeRules = [], matchPolicy } = this.#spec;
    const versions = [request.resource, ...(matchPolicy === "Exact" ? [] : equivalentsOf(request.resource, served))];
    const matched = (rule: NamedRuleWithOperations): boolean =>
      (rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(request.name)) &&
      versions.some((resource) => matchesSort(rule, request, resource));
    return !excludeRules.some(matched) && (rules.length === 0 || rules.some(matched));
  }

  #matchesObject({ object, oldObject }: AdmissionRequest): boolean {
    if (this.#objects.requirements.length === 0) return true;
    const matched = (one: UnknownObject | undefined): boolean => one !== undefined && this.#objects.matches(one.metadata.labels);
    return matched(object) || matched(oldObject);
  }

  #matchesNamespace(request: AdmissionRequest, store: Pick<Store, "get">): boolean {
    if (this.#namespaces.requirements.length === 0 || request.namespace === undefined) return true;
    return this.#namespaces.matches(namespaceLabels(request, request.namespace, store));
  }
}

/** The labels that a namespace has, or is about to have. */
function namespaceLabels(request: AdmissionRequest, name: string, store: Pick<Store, "get">): Readonly<Record<string, string>> | undefined {
  const { resource, object, subresource } = request;
  if (isNamespaces(resource) && subresource === undefined && object !== undefined) return object.metadata.labels;
  const namespace = store.get("namespaces", { name });
  if (namespace === undefined) throw notFound({ plural: "namespaces", group: "" }, name);
  return namespace.metadata.labels;
}

/** Who has an interest in which sort of request, found out once per sort. */
export class Interests<T extends { readonly matcher: RequestMatcher }> {
  readonly #judges: readonly T[];
  readonly #served: readonly Resource[];
  readonly #bySort = new Map<string, readonly Interest<T>[]>();

  constructor(judges: readonly T[], served: readonly Resource[]) {
    this.#judges = judges;
    this.#served = served;
  }

  /** The judges whose rules such requests match, in their order. */
  of(request: AdmissionRequest): readonly Interest<T>[] {
    if (this.#judges.length === 0) return [];
    const { operation, resource, subresource = "", namespace } = request;
    const sort = `${operation} ${resource.group}/${resource.version}/${resource.plural}/${subresource} ${namespace === undefined ? "" : "in"}`;
    let found = this.#bySort.get(sort);
    if (found === undefined) {
      found = this.#judges.flatMap((judge, index) => {
        const matched = judge.matcher.interest(request, this.#served);
        return matched === undefined ? [] : [{ judge, index, resource: matched }];
      });
      this.#bySort.set(sort, found);
    }
    return found;
  }
}

function matchesSort(rule: NamedRuleWithOperations, { operation, subresource, namespace }: AdmissionRequest, resource: Resource): boolean {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope = "*" } = rule;
  const isClusterWide = namespace === undefined || isNamespaces(resource);
  return (
    (scope === "*" || (scope === "Cluster") === isClusterWide) &&
    has(operations, operation) &&
    has(apiGroups, resource.group) &&
    has(apiVersions, resource.version) &&
    resources.some((pattern) => {
      const slash = pattern.indexOf("/");
      const [plural, part] = slash < 0 ? [pattern, ""] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
      return (plural === "*" || plural === resource.plural) && (part === "*" || part === (subresource ?? ""));
    })
  );
}

function has(items: readonly string[], item: string): boolean {
  return items.includes("*") || items.includes(item);
}

function isNamespaces({ group, plural }: Resource): boolean {
  return group === "" && plural === "namespaces";
}
