import { formatQuantity, parseQuantity, type Node, type NodeCondition } from "@sluice/kubernetes";
import { timestamp } from "../api-server/request-context.ts";
import type { PresentImage } from "./images/images.ts";
import type { Machine } from "./machine.ts";
import { VOLUMES_DIRECTORY } from "../volume/storage-class.ts";
import { GPU } from "./gpu/assign-gpus.ts";
import type { NodeSpec } from "./node-spec.ts";
import type { SandboxFeatures } from "./sandbox/sandbox.ts";

/** What a node object is made from. */
export interface NodeFacts {
  readonly name: string;
  /** Where the node keeps volumes. */
  readonly volumesDirectory: string;
  readonly machine: Machine;
  readonly features: SandboxFeatures;
  /** What the configuration says of it. */
  readonly spec?: NodeSpec | undefined;
  /** How many GPUs it has. */
  readonly gpus: number;
  readonly hostIp: string;
  /** Those that have been loaded or pulled. */
  readonly images: readonly PresentImage[];
  readonly version: string;
  readonly now: number;
}

/** As upstream. More at once would only wait for each other, and for the kernel to make their namespaces. */
const MAX_PODS = 110;
/** As upstream: the largest of them. */
const MAX_IMAGES = 50;
const MEBIBYTE = 2 ** 20;
/** Below these the node says that it is short of something. */
const LEAST_MEMORY = 100 * MEBIBYTE;
const LEAST_DISK = 1024 * MEBIBYTE;

/** The node's object as this machine is now; conditions that have not changed keep their times. */
export function nodeObject(facts: NodeFacts, current: Node | undefined): Node {
  const { name, machine, features, hostIp, images, version, now } = facts;
  const { os, architecture } = machine;
  const { spec } = facts;
  const resources = { ...capacityOf(machine), ...canonical(spec?.capacity), ...(facts.gpus > 0 ? { [GPU]: String(facts.gpus) } : {}) };
  const annotations = { ...current?.metadata.annotations, ...spec?.annotations, [VOLUMES_DIRECTORY]: facts.volumesDirectory };
  const labels = {
    ...current?.metadata.labels,
    ...spec?.labels,
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": os,
    "kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": os,
    "beta.kubernetes.io/arch": architecture,
    "node.sluice.dev/isolation": features.isolation,
    "node.sluice.dev/network": features.network,
    "node.sluice.dev/services": features.services,
    "node.sluice.dev/limits": features.limits,
    "node.sluice.dev/images": features.images,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { ...current?.metadata, name, labels, annotations },
    ...(current?.spec === undefined ? {} : { spec: current.spec }),
    status: {
      ...current?.status,
      capacity: resources,
      allocatable: resources,
      conditions: conditionsOf(facts).map((condition): NodeCondition => {
        const before = current?.status?.conditions?.find(({ type }) => type === condition.type);
        const isSame = before?.status === condition.status && before.lastTransitionTime !== undefined;
        return { ...condition, lastHeartbeatTime: timestamp(now), lastTransitionTime: isSame ? (before.lastTransitionTime ?? "") : timestamp(now) };
      }),
      addresses: [
        { type: "InternalIP", address: hostIp },
        { type: "Hostname", address: name },
      ],
      images: images.slice(0, MAX_IMAGES).map(({ names, sizeBytes }) => ({ names: [...names], sizeBytes })),
      nodeInfo: {
        machineID: machine.machineId,
        systemUUID: machine.machineId,
        bootID: machine.bootId,
        kernelVersion: machine.kernel,
        osImage: machine.osImage,
        containerRuntimeVersion: `sluice://${version}`,
        kubeletVersion: version,
        kubeProxyVersion: "",
        operatingSystem: os,
        architecture,
      },
    },
  };
}

/** As the API writes amounts. */
function canonical(amounts: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, text]) => [name, formatQuantity(parseQuantity(text))]));
}

/** What pods may use of the machine. */
function capacityOf({ cores, memoryBytes, diskBytes }: Machine): Record<string, string> {
  return {
    cpu: String(cores),
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    "ephemeral-storage": `${Math.floor(diskBytes / 1024)}Ki`,
    pods: String(MAX_PODS),
  };
}

type Condition = Pick<NodeCondition, "type" | "status" | "reason" | "message">;

function conditionsOf({ machine, features }: NodeFacts): Condition[] {
  const isMemoryShort = machine.freeMemoryBytes < LEAST_MEMORY;
  const isDiskShort = machine.freeDiskBytes < LEAST_DISK;
  const has = (type: string, isThere: boolean, yes: string, no: string): Condition => ({
    type: `node.sluice.dev/${type}`,
    status: isThere ? "True" : "False",
    reason: isThere ? "Available" : "Missing",
    message: isThere ? yes : `${no} ${features.missing.join("; ")}`.trimEnd(),
  });
  return [
    isMemoryShort
      ? { type: "MemoryPressure", status: "True", reason: "KubeletHasInsufficientMemory", message: "kubelet has insufficient memory available" }
      : { type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory", message: "kubelet has sufficient memory available" },
    isDiskShort
      ? { type: "DiskPressure", status: "True", reason: "KubeletHasDiskPressure", message: "kubelet has disk pressure" }
      : { type: "DiskPressure", status: "False", reason: "KubeletHasNoDiskPressure", message: "kubelet has no disk pressure" },
    { type: "PIDPressure", status: "False", reason: "KubeletHasSufficientPID", message: "kubelet has sufficient PID available" },
    { type: "Ready", status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
    has(
      "Isolation",
      features.isolation === "namespaces",
      "Containers have their own mount, PID, UTS and IPC namespaces.",
      "Containers are plain processes of this machine.",
    ),
    has(
      "PodNetwork",
      features.network === "pod",
      "Every pod has its own network namespace and address.",
      "All pods share this machine's network and its ports.",
    ),
    has(
      "ResourceLimits",
      features.limits !== "none",
      "Limits of memory and CPU are enforced by control groups.",
      "Limits of memory and CPU are not enforced.",
    ),
  ];
}
