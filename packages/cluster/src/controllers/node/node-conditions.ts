import type { Node, NodeCondition, Taint } from "@sluice/kubernetes";

/** The taints by which the control plane says what it knows of a node; others are somebody else's. */
const OWN_TAINTS: ReadonlySet<string> = new Set(
  ["not-ready", "unreachable", "unschedulable", "memory-pressure", "disk-pressure", "pid-pressure", "network-unavailable"].map(
    (name) => `node.kubernetes.io/${name}`,
  ),
);
const PRESSURES: Readonly<Record<string, string>> = {
  MemoryPressure: "memory-pressure",
  DiskPressure: "disk-pressure",
  PIDPressure: "pid-pressure",
  NetworkUnavailable: "network-unavailable",
};
const REPORTED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** The conditions of a node that has fallen silent; undefined if they say so already. */
export function unknownConditions({ status, metadata }: Node, now: string): NodeCondition[] | undefined {
  const before = status?.conditions ?? [];
  const known = before.map((condition): NodeCondition => {
    if (!REPORTED.includes(condition.type) || condition.status === "Unknown") return condition;
    return { ...condition, status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status.", lastTransitionTime: now };
  });
  const never = REPORTED.filter((type) => !before.some((condition) => condition.type === type)).map((type): NodeCondition => ({
    type,
    status: "Unknown",
    reason: "NodeStatusNeverUpdated",
    message: "Kubelet never posted node status.",
    lastHeartbeatTime: metadata.creationTimestamp ?? now,
    lastTransitionTime: now,
  }));
  return never.length === 0 && known.every((condition, i) => condition === before[i]) ? undefined : [...known, ...never];
}

/** The taints that follow from a node's conditions, besides those that somebody else gave it; undefined if it has them. */
export function taintsOf({ spec, status }: Node, now: string): Taint[] | undefined {
  const before = spec?.taints ?? [];
  const wanted: Pick<Taint, "key" | "effect">[] = [];
  const want = (name: string, ...effects: Taint["effect"][]): void =>
    void wanted.push(...effects.map((effect) => ({ key: `node.kubernetes.io/${name}`, effect })));
  if (spec?.unschedulable === true) want("unschedulable", "NoSchedule");
  for (const condition of status?.conditions ?? []) {
    const pressure = PRESSURES[condition.type];
    if (pressure !== undefined && condition.status === "True") want(pressure, "NoSchedule");
    if (condition.type !== "Ready" || condition.status === "True") continue;
    want(condition.status === "False" ? "not-ready" : "unreachable", "NoSchedule", "NoExecute");
  }
  const isSame = (a: Pick<Taint, "key" | "effect">, b: Pick<Taint, "key" | "effect">): boolean => a.key === b.key && a.effect === b.effect;
  // A node that has not said anything yet keeps the taints that it was registered with.
  const isSilent = !(status?.conditions ?? []).some(({ type }) => type === "Ready");
  const kept = before.filter((taint) => isSilent || !OWN_TAINTS.has(taint.key) || wanted.some((one) => isSame(one, taint)));
  const added = wanted.filter((one) => !before.some((taint) => isSame(one, taint))).map((one): Taint => ({ ...one, timeAdded: now }));
  return added.length === 0 && kept.length === before.length ? undefined : [...kept, ...added];
}
