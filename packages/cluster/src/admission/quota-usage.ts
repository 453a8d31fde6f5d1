import {
  compareQuantities,
  parseQuantity,
  type PersistentVolumeClaim,
  type Pod,
  type Quantity,
  type Service,
  type UnknownObject,
} from "@sluice/kubernetes";
import { isNativeResource } from "../api-server/strategies/resource-names.ts";
import { addResources, NONE, ONE, podResources, readResources, type ResourceList } from "./resource-list.ts";

const CLASS_SUFFIX = ".storageclass.storage.k8s.io/";
const COMPUTE: readonly string[] = ["cpu", "memory", "ephemeral-storage"];
const OBJECTS: readonly string[] = ["configmaps", "resourcequotas", "replicationcontrollers", "secrets"];
const NANOS = 1_000_000_000n;

/** The store's table whose objects use up what a quota bounds under this name; undefined if nothing does. */
export function tableOfResource(name: string): string | undefined {
  if (name.startsWith("count/")) return name.slice("count/".length);
  if (OBJECTS.includes(name)) return name;
  if (name === "services" || name.startsWith("services.")) return "services";
  if (name === "persistentvolumeclaims" || name === "requests.storage" || name.includes(CLASS_SUFFIX)) return "persistentvolumeclaims";
  const bare = name.replace(/^(?:requests|limits)\./u, "");
  const isExtended = name.startsWith("requests.") && !isNativeResource(name);
  const isHuge = !name.startsWith("limits.") && bare.startsWith("hugepages-");
  return name === "pods" || COMPUTE.includes(bare) || isHuge || isExtended ? "pods" : undefined;
}

/** What an object of a table uses, by the names that quotas know. */
export function usageOf(table: string, object: UnknownObject, now: number): ResourceList {
  const count = [`count/${table}`, ONE] as const;
  switch (table) {
    case "pods":
      return new Map([...podUsage(object as UnknownObject & Pod, now), count]);
    case "services":
      return new Map([...serviceUsage(object as UnknownObject & Service), count]);
    case "persistentvolumeclaims":
      return new Map([...claimUsage(object as UnknownObject & PersistentVolumeClaim), count]);
    default:
      return new Map(OBJECTS.includes(table) ? [count, [table, ONE]] : [count]);
  }
}

/** Whether a pod is over, or would be if its node still answered: then it costs no more than its name. */
function isOver({ metadata, status }: Pod, now: number): boolean {
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return true;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  if (deletionTimestamp === undefined || deletionGracePeriodSeconds === undefined) return false;
  return now > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000;
}

function podUsage(pod: Pod, now: number): ResourceList {
  if (isOver(pod, now)) return NONE;
  const requests = new Map(podResources(pod.spec, "requests"));
  const limits = new Map(podResources(pod.spec, "limits"));
  const overhead = readResources(pod.spec.overhead);
  addResources(requests, overhead);
  addResources(limits, new Map([...overhead].filter(([name]) => limits.has(name))));
  return new Map([["pods", ONE], ...demand(requests, limits)]);
}

/** Requests and limits by the names that quotas know. */
function demand(requests: ResourceList, limits: ResourceList): [string, Quantity][] {
  return [
    ...[...requests].flatMap(([name, amount]): [string, Quantity][] => {
      const isShared = COMPUTE.includes(name) || name.startsWith("hugepages-");
      if (isShared)
        return [
          [name, amount],
          [`requests.${name}`, amount],
        ];
      return isNativeResource(name) ? [] : [[`requests.${name}`, amount]];
    }),
    ...[...limits].flatMap(([name, amount]): [string, Quantity][] => (COMPUTE.includes(name) ? [[`limits.${name}`, amount]] : [])),
  ];
}

/** Of the resources that a quota bounds, those that each container must state, and where they are missing; as a message says it. */
export function missingFrom({ spec }: Pod, bounded: readonly string[]): string | undefined {
  if (Object.keys(spec.resources?.requests ?? {}).length + Object.keys(spec.resources?.limits ?? {}).length > 0) return undefined;
  const all = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name, resources }) => ({
    name,
    stated: new Set(demand(readResources(resources?.requests), readResources(resources?.limits)).map(([resource]) => resource)),
  }));
  const problems = bounded
    .filter((resource) => STATED.includes(resource))
    .toSorted()
    .flatMap((resource) => {
      const names = new Set(all.flatMap(({ name, stated }) => (stated.has(resource) ? [] : [name])));
      return names.size === 0 ? [] : [`${resource} for: ${[...names].toSorted().join(",")}`];
    });
  return problems.length === 0 ? undefined : `must specify ${problems.join("; ")}`;
}

const STATED: readonly string[] = ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

function serviceUsage({ spec }: Service): ResourceList {
  const { type, ports = [], allocateLoadBalancerNodePorts } = spec ?? {};
  const balances = type === "LoadBalancer";
  const takesAll = type === "NodePort" || (balances && allocateLoadBalancerNodePorts !== false);
  const nodePorts = takesAll ? ports.length : balances ? ports.filter(({ nodePort = 0 }) => nodePort !== 0).length : 0;
  return new Map([
    ["services", ONE],
    ["services.loadbalancers", times(balances ? 1 : 0)],
    ["services.nodeports", times(nodePorts)],
  ]);
}

function claimUsage({ metadata, spec, status }: PersistentVolumeClaim): ResourceList {
  const usage = new Map<string, Quantity>([["persistentvolumeclaims", ONE]]);
  const wanted = spec?.resources?.requests?.["storage"];
  if (wanted !== undefined) {
    // What an expansion has taken already counts, even if less is asked for now.
    const taken = status?.allocatedResources?.["storage"];
    const [a, b] = [wholeUp(wanted), wholeUp(taken ?? wanted)];
    usage.set("requests.storage", compareQuantities(a, b) < 0 ? b : a);
  }
  const storageClass = metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
  if (storageClass === "") return usage;
  return new Map([...usage, ...[...usage].map(([name, amount]): [string, Quantity] => [`${storageClass}${CLASS_SUFFIX}${name}`, amount])]);
}

function wholeUp(text: string): Quantity {
  const { nanos, format } = parseQuantity(text);
  return { nanos: ((nanos + NANOS - 1n) / NANOS) * NANOS, format };
}

function times(count: number): Quantity {
  return { ...ONE, nanos: BigInt(count) * NANOS };
}
