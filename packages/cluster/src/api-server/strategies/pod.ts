import { jsonEqual, type Cause, type Pod, type PodSpec, type Toleration, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy, StrategyContext } from "../strategy.ts";

const TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** How long a pod stays on a node that is not ready or out of reach. */
const EVICTION_SECONDS = 300;

/** Pods: what admission gives them, what of them may change, and that they end gracefully. */
export const podStrategy: Strategy = {
  hasGeneration: true,
  returnsDeleted: true,
  prepareCreate: (object, context) => {
    const pod = object as UnknownObject & Pod;
    const spec = withTolerations(withPriority(withServiceAccount(withContainerDefaults(pod.spec), pod, context), context));
    const gated = (spec.schedulingGates ?? []).length > 0;
    const waiting = { type: "PodScheduled", status: "False", reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates", lastTransitionTime: context.now };
    return { ...pod, spec, status: { phase: "Pending", ...(gated ? { conditions: [waiting] } : {}), qosClass: qosClass(spec) } };
  },
  prepareUpdate: (next, current) => {
    // Gates open only once: the condition that names them goes with the last.
    const { spec, status } = next as UnknownObject & Pod;
    const before = current as UnknownObject & Pod;
    if ((before.spec.schedulingGates ?? []).length === 0 || (spec.schedulingGates ?? []).length > 0) return next;
    return { ...next, status: { ...status, conditions: (status?.conditions ?? []).filter(({ reason }) => reason !== "SchedulingGated") } };
  },
  validate: (next, current) => {
    const pod = next as UnknownObject & Pod;
    const before = current as (UnknownObject & Pod) | undefined;
    return before === undefined ? validateNew(pod.spec) : validateChange(pod.spec, before.spec);
  },
  gracePeriodSeconds: (object, requested) => {
    const { spec, status } = object as UnknownObject & Pod;
    const isStarted = (spec.nodeName ?? "") !== "" && status?.phase !== "Succeeded" && status?.phase !== "Failed";
    return isStarted ? (requested ?? spec.terminationGracePeriodSeconds ?? 30) : 0;
  },
};

type Container = PodSpec["containers"][number];

function withContainerDefaults(spec: PodSpec): PodSpec {
  const complete = (container: Container): Container => {
    const { resources, image = "" } = container;
    const requests = { ...resources?.limits, ...resources?.requests };
    const tag = image.slice(image.lastIndexOf("/") + 1);
    const isLatest = !tag.includes("@") && (!tag.includes(":") || tag.endsWith(":latest"));
    return {
      ...container,
      imagePullPolicy: container.imagePullPolicy ?? (isLatest ? "Always" : "IfNotPresent"),
      terminationMessagePath: container.terminationMessagePath ?? "/dev/termination-log",
      terminationMessagePolicy: container.terminationMessagePolicy ?? "File",
      resources: { ...resources, ...(Object.keys(requests).length === 0 ? {} : { requests }) },
    };
  };
  return {
    ...spec,
    restartPolicy: spec.restartPolicy ?? "Always",
    dnsPolicy: spec.dnsPolicy ?? "ClusterFirst",
    schedulerName: spec.schedulerName ?? "default-scheduler",
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    securityContext: spec.securityContext ?? {},
    enableServiceLinks: spec.enableServiceLinks ?? true,
    containers: spec.containers.map(complete),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(complete) }),
  };
}

/** The account that the pod acts as, and its token where containers expect it. */
function withServiceAccount(spec: PodSpec, pod: Pod, context: StrategyContext): PodSpec {
  const serviceAccountName = spec.serviceAccountName ?? spec.serviceAccount ?? "default";
  const account = context.find("serviceaccounts", { namespace: pod.metadata.namespace, name: serviceAccountName });
  const named: PodSpec = { ...spec, serviceAccountName, serviceAccount: serviceAccountName };
  if ((spec.automountServiceAccountToken ?? account?.["automountServiceAccountToken"]) === false) return named;
  const isMounted = (container: Container): boolean => (container.volumeMounts ?? []).some(({ mountPath }) => mountPath === TOKEN_MOUNT);
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  if (containers.every(isMounted)) return named;

  const name = `kube-api-access-${context.newId().replaceAll("-", "").slice(0, 5)}`;
  const mount = (container: Container): Container =>
    isMounted(container) ? container : { ...container, volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: TOKEN_MOUNT }] };
  const sources = [
    { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
  ];
  return {
    ...named,
    containers: spec.containers.map(mount),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(mount) }),
    volumes: [...(spec.volumes ?? []), { name, projected: { sources, defaultMode: 420 } }],
  };
}

function withPriority(spec: PodSpec, context: StrategyContext): PodSpec {
  const name = spec.priorityClassName ?? "";
  const chosen =
    name === ""
      ? context.list("priorityclasses.scheduling.k8s.io").find((candidate) => candidate["globalDefault"] === true)
      : context.find("priorityclasses.scheduling.k8s.io", { name });
  const value = chosen?.["value"] ?? SYSTEM_PRIORITIES[name];
  const policy = spec.preemptionPolicy ?? (chosen?.["preemptionPolicy"] === "Never" ? "Never" : "PreemptLowerPriority");
  return { ...spec, priority: typeof value === "number" ? value : (spec.priority ?? 0), preemptionPolicy: policy };
}

const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = { "system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000 };

function withTolerations(spec: PodSpec): PodSpec {
  const tolerations = [...(spec.tolerations ?? [])];
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const isTolerated = tolerations.some((one) => ((one.key ?? "") === "" || one.key === key) && ((one.effect ?? "") === "" || one.effect === "NoExecute"));
    const added: Toleration = { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: EVICTION_SECONDS };
    if (!isTolerated) tolerations.push(added);
  }
  return { ...spec, tolerations };
}

function qosClass({ containers, initContainers = [] }: PodSpec): string {
  const all = [...containers, ...initContainers].map(({ resources }) => resources ?? {});
  const isEmpty = all.every(({ requests = {}, limits = {} }) => Object.keys(requests).length === 0 && Object.keys(limits).length === 0);
  if (isEmpty) return "BestEffort";
  const isFixed = all.every(({ requests = {}, limits = {} }) => ["cpu", "memory"].every((one) => limits[one] !== undefined && requests[one] === limits[one]));
  return isFixed ? "Guaranteed" : "Burstable";
}

function validateNew(spec: PodSpec): Cause[] {
  const causes: Cause[] = [];
  if (spec.containers.length === 0) causes.push({ reason: "FieldValueRequired", field: "spec.containers", message: "Required value" });
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name));
  const names = new Set<string>();
  for (const [list, containers] of [["initContainers", spec.initContainers ?? []], ["containers", spec.containers]] as const) {
    for (const [i, { name, image = "", volumeMounts = [] }] of containers.entries()) {
      const path = `spec.${list}[${i}]`;
      if (names.has(name)) causes.push({ reason: "FieldValueDuplicate", field: `${path}.name`, message: `Duplicate value: ${JSON.stringify(name)}` });
      names.add(name);
      if (image === "") causes.push({ reason: "FieldValueRequired", field: `${path}.image`, message: "Required value" });
      for (const [j, mount] of volumeMounts.entries()) {
        if (volumes.has(mount.name)) continue;
        causes.push({ reason: "FieldValueNotFound", field: `${path}.volumeMounts[${j}].name`, message: `Not found: ${JSON.stringify(mount.name)}` });
      }
    }
  }
  return causes;
}

/** Of a pod's spec only images, a shorter deadline, more tolerations, and, while gated, what guides the scheduler may change. */
function validateChange(next: PodSpec, before: PodSpec): Cause[] {
  const isGated = (before.schedulingGates ?? []).length > 0;
  const fixed = ({ activeDeadlineSeconds: _, tolerations: __, schedulingGates: ___, terminationGracePeriodSeconds: ____, ...spec }: PodSpec): unknown => ({
    ...spec,
    containers: spec.containers.map(({ image: _image, ...container }) => container),
    initContainers: spec.initContainers?.map(({ image: _image, ...container }) => container),
    ...(isGated ? { nodeSelector: undefined, affinity: undefined } : {}),
  });
  const causes: Cause[] = [];
  if (!jsonEqual(fixed(next), fixed(before))) {
    const message =
      "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
    causes.push({ reason: "FieldValueForbidden", field: "spec", message });
  }
  const lost = (before.tolerations ?? []).some((one) => !(next.tolerations ?? []).some((other) => jsonEqual(one, other)));
  if (lost) causes.push({ reason: "FieldValueForbidden", field: "spec.tolerations", message: "Forbidden: existing toleration can not be modified except its tolerationSeconds" });
  const known = new Set((before.schedulingGates ?? []).map(({ name }) => name));
  if ((next.schedulingGates ?? []).some(({ name }) => !known.has(name))) {
    causes.push({ reason: "FieldValueForbidden", field: "spec.schedulingGates", message: "Forbidden: only deletion is allowed" });
  }
  return causes;
}
