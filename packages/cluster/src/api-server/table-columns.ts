import {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  CronJob,
  DaemonSet,
  Deployment,
  Endpoints,
  EndpointSlice,
  Event,
  Job,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ReplicaSet,
  ResourceQuota,
  Role,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  type Container,
  type KubernetesObject,
  type ResourceQuotaStatus,
  type Subject,
} from "@sluice/kubernetes";
import { AGE, NAME, count, define, few, listed, selector, text, wide } from "./computed-column.ts";
import { age, humanDuration } from "./human-duration.ts";
import { summarizePod } from "./pod-summary.ts";

const CREATED = text<KubernetesObject>("Created At", ({ metadata }) => metadata.creationTimestamp ?? "");

define(Pod, [
  NAME,
  text("Ready", (pod, now) => summarizePod(pod, now).ready),
  text("Status", (pod, now) => summarizePod(pod, now).status),
  text("Restarts", (pod, now) => summarizePod(pod, now).restarts),
  AGE,
  wide("IP", ({ status }) => status?.podIP ?? "<none>"),
  wide("Node", ({ spec }) => spec.nodeName ?? "<none>"),
  wide("Nominated Node", ({ status }) => status?.nominatedNodeName ?? "<none>"),
  wide("Readiness Gates", ({ spec, status }) => {
    const gates = spec.readinessGates ?? [];
    const met = gates.filter(({ conditionType }) => isTrue(status?.conditions, conditionType)).length;
    return gates.length === 0 ? "<none>" : `${met}/${gates.length}`;
  }),
]);

define(Node, [
  NAME,
  text("Status", ({ spec, status }) => {
    const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
    const words = [ready === undefined ? "Unknown" : ready === "True" ? "Ready" : "NotReady"];
    return [...words, ...(spec?.unschedulable === true ? ["SchedulingDisabled"] : [])].join(",");
  }),
  text("Roles", ({ metadata }) => {
    const prefix = "node-role.kubernetes.io/";
    const roles = Object.keys(metadata.labels ?? {}).filter((label) => label.startsWith(prefix) && label !== prefix);
    return listed(roles.map((label) => label.slice(prefix.length)).toSorted());
  }),
  AGE,
  text("Version", ({ status }) => status?.nodeInfo?.kubeletVersion ?? ""),
  wide("Internal-IP", ({ status }) => status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "<none>"),
  wide("External-IP", ({ status }) => status?.addresses?.find(({ type }) => type === "ExternalIP")?.address ?? "<none>"),
  wide("OS-Image", ({ status }) => status?.nodeInfo?.osImage ?? "<unknown>"),
  wide("Kernel-Version", ({ status }) => status?.nodeInfo?.kernelVersion ?? "<unknown>"),
  wide("Container-Runtime", ({ status }) => status?.nodeInfo?.containerRuntimeVersion ?? "<unknown>"),
]);

define(ConfigMap, [NAME, count("Data", ({ data, binaryData }) => sizeOf(data) + sizeOf(binaryData)), AGE]);
define(Secret, [NAME, text("Type", ({ type }) => type ?? "Opaque"), count("Data", ({ data }) => sizeOf(data)), AGE]);
define(ServiceAccount, [NAME, count("Secrets", ({ secrets }) => secrets?.length), AGE]);

define(Service, [
  NAME,
  text("Type", ({ spec }) => spec.type ?? "ClusterIP"),
  text("Cluster-IP", ({ spec }) => spec.clusterIP ?? "<none>"),
  text("External-IP", ({ spec, status }) => {
    if (spec.type === "ExternalName") return spec.externalName ?? "<none>";
    const balanced = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? "");
    const all = [...balanced, ...(spec.externalIPs ?? [])];
    return all.length === 0 && spec.type === "LoadBalancer" ? "<pending>" : listed(all);
  }),
  text("Port(s)", ({ spec }) =>
    listed((spec.ports ?? []).map(({ port, nodePort, protocol = "TCP" }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol}`)),
  ),
  AGE,
  wide("Selector", ({ spec }) => pairs(spec.selector)),
]);

define(Endpoints, [
  NAME,
  text("Endpoints", ({ subsets = [] }) =>
    few(
      subsets.flatMap(({ addresses = [], ports = [] }) =>
        addresses.flatMap(({ ip }) => (ports.length === 0 ? [ip] : ports.map(({ port }) => `${ip}:${port}`))),
      ),
    ),
  ),
  AGE,
]);

define(EndpointSlice, [
  NAME,
  text("AddressType", ({ addressType }) => addressType),
  text("Ports", ({ ports }) =>
    few(
      (ports ?? []).map(({ port }) => String(port ?? "*")),
      "<unset>",
    ),
  ),
  text("Endpoints", ({ endpoints }) =>
    few(
      (endpoints ?? []).flatMap(({ addresses }) => addresses),
      "<unset>",
    ),
  ),
  AGE,
]);

define(Deployment, [
  NAME,
  text("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`),
  count("Up-to-date", ({ status }) => status?.updatedReplicas),
  count("Available", ({ status }) => status?.availableReplicas),
  AGE,
  wide("Containers", ({ spec }) => names(spec.template.spec.containers)),
  wide("Images", ({ spec }) => images(spec.template.spec.containers)),
  wide("Selector", ({ spec }) => selector(spec.selector)),
]);

define(ReplicaSet, [
  NAME,
  count("Desired", ({ spec }) => spec.replicas),
  count("Current", ({ status }) => status?.replicas),
  count("Ready", ({ status }) => status?.readyReplicas),
  AGE,
  wide("Containers", ({ spec }) => names(spec.template?.spec.containers)),
  wide("Images", ({ spec }) => images(spec.template?.spec.containers)),
  wide("Selector", ({ spec }) => selector(spec.selector)),
]);

define(StatefulSet, [
  NAME,
  text("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 1}`),
  AGE,
  wide("Containers", ({ spec }) => names(spec.template.spec.containers)),
  wide("Images", ({ spec }) => images(spec.template.spec.containers)),
]);

define(DaemonSet, [
  NAME,
  count("Desired", ({ status }) => status?.desiredNumberScheduled),
  count("Current", ({ status }) => status?.currentNumberScheduled),
  count("Ready", ({ status }) => status?.numberReady),
  count("Up-to-date", ({ status }) => status?.updatedNumberScheduled),
  count("Available", ({ status }) => status?.numberAvailable),
  text("Node Selector", ({ spec }) => pairs(spec.template.spec.nodeSelector)),
  AGE,
  wide("Containers", ({ spec }) => names(spec.template.spec.containers)),
  wide("Images", ({ spec }) => images(spec.template.spec.containers)),
  wide("Selector", ({ spec }) => selector(spec.selector)),
]);

define(Job, [
  NAME,
  text("Status", ({ metadata, status }) => {
    const has = (type: string): boolean => isTrue(status?.conditions, type);
    if (has("Complete")) return "Complete";
    if (has("Failed")) return "Failed";
    if (metadata.deletionTimestamp !== undefined) return "Terminating";
    return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find(has) ?? "Running";
  }),
  text("Completions", ({ spec, status }) => {
    const succeeded = status?.succeeded ?? 0;
    if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
    return (spec.parallelism ?? 0) > 1 ? `${succeeded}/1 of ${spec.parallelism}` : `${succeeded}/1`;
  }),
  text("Duration", ({ status }, now) => {
    if (status?.startTime === undefined) return "";
    const end = status.completionTime === undefined ? now.getTime() : Date.parse(status.completionTime);
    return humanDuration(end - Date.parse(status.startTime));
  }),
  AGE,
  wide("Containers", ({ spec }) => names(spec.template.spec.containers)),
  wide("Images", ({ spec }) => images(spec.template.spec.containers)),
  wide("Selector", ({ spec }) => selector(spec.selector)),
]);

define(CronJob, [
  NAME,
  text("Schedule", ({ spec }) => spec.schedule),
  text("Timezone", ({ spec }) => spec.timeZone ?? "<none>"),
  text("Suspend", ({ spec }) => (spec.suspend === true ? "True" : "False")),
  count("Active", ({ status }) => status?.active?.length),
  text("Last Schedule", ({ status }, now) => (status?.lastScheduleTime === undefined ? "<none>" : age(status.lastScheduleTime, now))),
  AGE,
]);

define(PersistentVolumeClaim, [
  NAME,
  text("Status", ({ metadata, status }) => (metadata.deletionTimestamp === undefined ? (status?.phase ?? "Pending") : "Terminating")),
  text("Volume", ({ spec }) => spec.volumeName ?? ""),
  text("Capacity", ({ spec, status }) => (spec.volumeName === undefined ? "" : (status?.capacity?.["storage"] ?? ""))),
  text("Access Modes", ({ spec, status }) => (spec.volumeName === undefined ? "" : accessModes(status?.accessModes))),
  text("StorageClass", ({ spec }) => spec.storageClassName ?? ""),
  text("VolumeAttributesClass", ({ spec }) => spec.volumeAttributesClassName ?? "<unset>"),
  AGE,
  wide("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>"),
]);

define(PersistentVolume, [
  NAME,
  text("Capacity", ({ spec }) => spec.capacity?.["storage"] ?? ""),
  text("Access Modes", ({ spec }) => accessModes(spec.accessModes)),
  text("Reclaim Policy", ({ spec }) => spec.persistentVolumeReclaimPolicy ?? ""),
  text("Status", ({ metadata, status }) => (metadata.deletionTimestamp === undefined ? (status?.phase ?? "Pending") : "Terminating")),
  text("Claim", ({ spec: { claimRef } }) => (claimRef === undefined ? "" : `${claimRef.namespace ?? ""}/${claimRef.name ?? ""}`)),
  text("StorageClass", ({ spec }) => spec.storageClassName ?? ""),
  text("Reason", ({ status }) => status?.reason ?? ""),
  AGE,
  wide("VolumeMode", ({ spec }) => spec.volumeMode ?? "<unset>"),
]);

define(Event, [
  text("Last Seen", (event, now) => age(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp, now)),
  text("Type", ({ type }) => type ?? ""),
  text("Reason", ({ reason }) => reason ?? ""),
  text("Object", ({ involvedObject: { kind = "", name } }) => (name === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`)),
  wide("Subobject", ({ involvedObject }) => involvedObject.fieldPath ?? ""),
  wide("Source", ({ source, reportingComponent }) => [source?.component ?? reportingComponent, source?.host].filter(Boolean).join(", ")),
  text("Message", ({ message }) => message?.trim() ?? ""),
  wide("First Seen", (event, now) => age(event.firstTimestamp ?? event.eventTime, now)),
  wide("Count", ({ series, count: times }) => String(series?.count ?? times ?? 1)),
  wide("Name", ({ metadata }) => metadata.name),
]);

define(ResourceQuota, [
  NAME,
  text("Request", ({ status }) => usage(status, (name) => !name.startsWith("limits."))),
  text("Limit", ({ status }) => usage(status, (name) => name.startsWith("limits."))),
  AGE,
]);

define(Role, [NAME, CREATED]);
define(ClusterRole, [NAME, CREATED]);
for (const binding of [RoleBinding, ClusterRoleBinding]) {
  define<RoleBinding | ClusterRoleBinding>(binding, [
    NAME,
    text("Role", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
    AGE,
    wide("Users", ({ subjects }) => subjectsOf(subjects, "User")),
    wide("Groups", ({ subjects }) => subjectsOf(subjects, "Group")),
    wide("ServiceAccounts", ({ subjects }) => subjectsOf(subjects, "ServiceAccount")),
  ]);
}

/** How much of what is allowed is used, of the resources that `isShown` says. */
function usage({ hard = {}, used = {} }: ResourceQuotaStatus = {}, isShown: (name: string) => boolean): string {
  const names = Object.keys(hard).filter(isShown).toSorted();
  return names.map((name) => `${name}: ${used[name] ?? "0"}/${hard[name] ?? "0"}`).join(", ");
}

function isTrue(conditions: readonly { type: string; status: string }[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
}

function sizeOf(map: Readonly<Record<string, unknown>> | undefined): number {
  return Object.keys(map ?? {}).length;
}

function pairs(map: Readonly<Record<string, string>> | undefined): string {
  return listed(
    Object.entries(map ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .toSorted(),
  );
}

function names(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map(({ name }) => name).join(",");
}

function images(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map(({ image = "" }) => image).join(",");
}

const ACCESS_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

function accessModes(modes: readonly string[] | undefined): string {
  return (modes ?? []).map((mode) => ACCESS_MODES[mode] ?? mode).join(",");
}

function subjectsOf(subjects: readonly Subject[] | undefined, kind: string): string {
  const found = (subjects ?? []).filter((subject) => subject.kind === kind);
  return found.map(({ namespace, name }) => (namespace === undefined ? name : `${namespace}/${name}`)).join(", ");
}
