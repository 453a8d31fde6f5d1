import {
  compareQuantities,
  formatQuantity,
  parseQuantity,
  type Container,
  type LimitRange,
  type LimitRangeItem,
  type PersistentVolumeClaim,
  type Pod,
  type PodSpec,
  type Quantity,
  type UnknownObject,
} from "@sluice/kubernetes";
import { forbidden } from "../api-server/api-errors.ts";
import type { Store } from "../store/store.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { NONE, podResources, readResources, type ResourceList } from "./resource-list.ts";

const ANNOTATION = "kubernetes.io/limit-ranger";

/** Gives containers the requests and limits that their namespace's LimitRanges have for those without, and holds pods and claims to the bounds. */
export function limitRanger({ store }: { readonly store: Pick<Store, "list"> }): AdmissionPlugin {
  const rangesOf = (namespace: string): (UnknownObject & LimitRange)[] =>
    store.list("limitranges", { namespace }).items as (UnknownObject & LimitRange)[];
  return {
    name: "LimitRanger",
    handles: ({ operation, resource, subresource, namespace, oldObject }) => {
      if (resource.group !== "" || namespace === undefined || oldObject?.metadata.deletionTimestamp !== undefined) return false;
      const isPod =
        resource.plural === "pods" && (subresource === "resize" ? operation === "UPDATE" : subresource === undefined && operation === "CREATE");
      const isClaim = resource.plural === "persistentvolumeclaims" && subresource === undefined && (operation === "CREATE" || operation === "UPDATE");
      return (isPod || isClaim) && rangesOf(namespace).length > 0;
    },
    mutate: ({ resource, namespace = "", object }) =>
      resource.plural === "pods"
        ? rangesOf(namespace).reduce((pod, range) => withDefaultResources(pod, range), object as UnknownObject & Pod)
        : object,
    validate: (request) => {
      const { namespace = "", resource, object } = request;
      for (const range of rangesOf(namespace)) {
        const problems =
          resource.plural === "pods"
            ? podProblems((object as UnknownObject & Pod).spec, range)
            : claimProblems(object as UnknownObject & PersistentVolumeClaim, range);
        if (problems.length > 0) throw refusal(request, problems);
      }
    },
  };
}

/** The pod, its containers completed by the range; an annotation says what came from there. */
function withDefaultResources(pod: UnknownObject & Pod, { spec: { limits } }: LimitRange): UnknownObject & Pod {
  const items = limits.filter(({ type }) => type === "Container");
  const requests: Record<string, string> = Object.assign({}, ...items.map(({ defaultRequest }) => defaultRequest));
  const limitsOf: Record<string, string> = Object.assign({}, ...items.map((item) => item.default));
  const notes: string[] = [];
  const complete = (list: readonly Container[], what: string): Container[] =>
    list.map((container) => {
      const { resources = {}, name } = container;
      const missing = (wanted: Record<string, string>, given: Record<string, string> = {}): string[] =>
        Object.keys(wanted)
          .filter((key) => given[key] === undefined)
          .toSorted();
      const [newRequests, newLimits] = [missing(requests, resources.requests), missing(limitsOf, resources.limits)];
      if (newRequests.length > 0) notes.push(`${newRequests.join(", ")} request for ${what} ${name}`);
      if (newLimits.length > 0) notes.push(`${newLimits.join(", ")} limit for ${what} ${name}`);
      if (newRequests.length + newLimits.length === 0) return container;
      return {
        ...container,
        resources: {
          ...resources,
          ...(newRequests.length === 0 ? {} : { requests: { ...requests, ...resources.requests } }),
          ...(newLimits.length === 0 ? {} : { limits: { ...limitsOf, ...resources.limits } }),
        },
      };
    });
  const { containers, initContainers } = pod.spec;
  const spec = {
    ...pod.spec,
    containers: complete(containers, "container"),
    ...(initContainers === undefined ? {} : { initContainers: complete(initContainers, "init container") }),
  };
  if (notes.length === 0) return pod;
  const annotations = { ...pod.metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join("; ")}` };
  return { ...pod, metadata: { ...pod.metadata, annotations }, spec };
}

/** What of a pod breaks the range's bounds. */
function podProblems(spec: PodSpec, { spec: { limits } }: LimitRange): string[] {
  return limits.flatMap((item) => {
    if (item.type === "Pod") return amountProblems(item, podResources(spec, "requests"), podResources(spec, "limits"));
    if (item.type !== "Container") return [];
    return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      amountProblems(item, readResources(resources?.requests), readResources(resources?.limits)),
    );
  });
}

function claimProblems({ spec }: PersistentVolumeClaim, range: LimitRange): string[] {
  const requests = readResources(spec?.resources?.requests);
  return range.spec.limits
    .filter(({ type }) => type === "PersistentVolumeClaim")
    .flatMap((item) => [
      ...bounds(item.min).flatMap(([name, bound]) =>
        belowMinimum(at("minimum", item, name, bound), { request: requests.get(name), limit: undefined }),
      ),
      ...bounds(item.max).flatMap(([name, bound]) => {
        const rule = at("maximum", item, name, bound);
        const request = requests.get(name);
        if (request === undefined) return [`${rule.text}.  No request is specified`];
        return isMore(request, bound) ? [`${rule.text}, but request is ${formatQuantity(request)}`] : [];
      }),
    ]);
}

function amountProblems(item: LimitRangeItem, requests: ResourceList, limits: ResourceList = NONE): string[] {
  const amounts = (name: string): Amounts => ({ request: requests.get(name), limit: limits.get(name) });
  return [
    ...bounds(item.min).flatMap(([name, bound]) => belowMinimum(at("minimum", item, name, bound), amounts(name))),
    ...bounds(item.max).flatMap(([name, bound]) => aboveMaximum(at("maximum", item, name, bound), amounts(name))),
    ...bounds(item.maxLimitRequestRatio).flatMap(([name, bound]) => aboveRatio(at("ratio", item, name, bound), amounts(name))),
  ];
}

interface Amounts {
  readonly request: Quantity | undefined;
  readonly limit: Quantity | undefined;
}

interface Rule {
  readonly bound: Quantity;
  /** How a message about it begins. */
  readonly text: string;
}

function at(kind: "minimum" | "maximum" | "ratio", { type }: LimitRangeItem, name: string, bound: Quantity): Rule {
  const what = kind === "ratio" ? `${name} max limit to request ratio` : `${kind} ${name} usage`;
  return { bound, text: `${what} per ${type} is ${formatQuantity(bound)}` };
}

function belowMinimum({ bound, text }: Rule, { request, limit }: Amounts): string[] {
  if (request === undefined) return [`${text}.  No request is specified`];
  if (isMore(bound, request)) return [`${text}, but request is ${formatQuantity(request)}`];
  return limit !== undefined && isMore(bound, limit) ? [`${text}, but limit is ${formatQuantity(limit)}`] : [];
}

function aboveMaximum({ bound, text }: Rule, { request, limit }: Amounts): string[] {
  if (limit === undefined) return [`${text}.  No limit is specified`];
  if (isMore(limit, bound)) return [`${text}, but limit is ${formatQuantity(limit)}`];
  return request !== undefined && isMore(request, bound) ? [`${text}, but request is ${formatQuantity(request)}`] : [];
}

function aboveRatio({ bound, text }: Rule, { request, limit }: Amounts): string[] {
  if (request === undefined || request.nanos === 0n) return [`${text}, but no request is specified or request is 0`];
  if (limit === undefined || limit.nanos === 0n) return [`${text}, but no limit is specified or limit is 0`];
  const isWithin = limit.nanos * parseQuantity("1").nanos <= bound.nanos * request.nanos;
  return isWithin ? [] : [`${text}, but provided ratio is ${(Number(limit.nanos) / Number(request.nanos)).toFixed(6)}`];
}

function bounds(quantities: Readonly<Record<string, string>> | undefined): [string, Quantity][] {
  return [...readResources(quantities)];
}

function isMore(a: Quantity, b: Quantity): boolean {
  return compareQuantities(a, b) > 0;
}

/** Several problems are told as a list, each once. */
function refusal({ resource, object, name }: AdmissionRequest, problems: readonly string[]): Error {
  const [first = "", ...others] = new Set(problems);
  const subject = object === undefined || object.metadata.name === "" ? name : object.metadata.name;
  return forbidden(resource, subject, others.length === 0 ? first : `[${[first, ...others].join(", ")}]`);
}
