import { parseQuantity, type Pod, type PodSpec } from "@sluice/kubernetes";

/** Whole amounts by resource name, as upstream counts: thousandths of processors, units of all else, rounded up. */
export type Amounts = ReadonlyMap<string, number>;

/** A port of the node that a pod wants for itself. */
export interface HostPort {
  /** Protocol and number, as `TCP/80`. */
  readonly port: string;
  /** `0.0.0.0` stands for all. */
  readonly ip: string;
}

/** What a pod asks of the node that it runs on. */
export interface PodDemand {
  readonly requests: Amounts;
  readonly hostPorts: readonly HostPort[];
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  /** The names of the claims that its volumes are. */
  readonly claims: readonly string[];
}

/** Reads what a pod asks for from its spec. */
export function demandOf(pod: Pod): PodDemand {
  const { spec, metadata } = pod;
  return {
    requests: requestsOf(spec),
    hostPorts: hostPortsOf(spec),
    namespace: metadata.namespace ?? "",
    labels: metadata.labels ?? {},
    spec,
    claims: claimsOf(pod),
  };
}

/**
 * The most that a pod needs at any one time. Its containers run together; an init container runs alone, except for the
 * sidecars (init containers that always restart) that were started before it and stay.
 */
export function requestsOf(spec: PodSpec): Amounts {
  const together = new Map<string, number>();
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const { resources } of spec.containers) add(together, amountsOf(resources?.requests));
  for (const { resources, restartPolicy } of spec.initContainers ?? []) {
    const requests = amountsOf(resources?.requests);
    if (restartPolicy === "Always") {
      add(together, requests);
      add(sidecars, requests);
      continue;
    }
    const alone = new Map(sidecars);
    add(alone, requests);
    raise(peak, alone);
  }
  raise(together, peak);
  // What is asked for the pod as a whole stands in place of the sum.
  for (const [name, amount] of amountsOf(spec.resources?.requests)) together.set(name, amount);
  add(together, amountsOf(spec.overhead));
  return together;
}

/** Whether a pod cares where other pods are. */
export function isSocial({ affinity, topologySpreadConstraints = [] }: PodSpec): boolean {
  return affinity?.podAffinity !== undefined || affinity?.podAntiAffinity !== undefined || topologySpreadConstraints.length > 0;
}

/** Whether a pod keeps others away. */
export function isRepelling({ affinity }: PodSpec): boolean {
  return (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
}

/** Quantities as amounts. */
export function amountsOf(quantities: Readonly<Record<string, string>> = {}): Amounts {
  return new Map(Object.entries(quantities).map(([name, text]) => [name, amountOf(name, text)]));
}

function amountOf(name: string, text: string): number {
  const step = name === "cpu" ? 1_000_000n : 1_000_000_000n;
  return Number((parseQuantity(text).nanos + step - 1n) / step);
}

/** The claim of an ephemeral volume is named after pod and volume. */
function claimsOf({ metadata, spec }: Pod): string[] {
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${metadata.name}-${name}`];
  });
}

function hostPortsOf({ containers, initContainers = [] }: PodSpec): HostPort[] {
  const lasting = [...containers, ...initContainers.filter(({ restartPolicy }) => restartPolicy === "Always")];
  return lasting
    .flatMap(({ ports = [] }) => ports)
    .filter(({ hostPort = 0 }) => hostPort > 0)
    .map(({ hostPort, protocol = "TCP", hostIP = "" }) => ({ port: `${protocol}/${hostPort}`, ip: hostIP === "" ? "0.0.0.0" : hostIP }));
}

function add(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) to.set(name, (to.get(name) ?? 0) + amount);
}

function raise(to: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) if (amount > (to.get(name) ?? 0)) to.set(name, amount);
}
