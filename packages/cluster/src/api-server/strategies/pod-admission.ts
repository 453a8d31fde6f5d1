import {
  compareQuantities,
  parseQuantity,
  type Pod,
  type PodSpec,
  type PriorityClass,
  type ServiceAccount,
  type Toleration,
  type UnknownObject,
} from "@sluice/kubernetes";
import { forbidden } from "../api-errors.ts";
import { generateName } from "../object-meta.ts";
import type { StrategyContext } from "../strategy.ts";

type Container = PodSpec["containers"][number];

const PODS = { plural: "pods", group: "" };
const TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const TOKEN_VOLUME = "kube-api-access-";
/** As long as upstream: an hour, and a little that tells such tokens from those that somebody asked for. */
const TOKEN_SECONDS = 3607;
/** How long a pod stays on a node that is not ready or out of reach. */
const EVICTION_SECONDS = 300;

/** What admission makes of a new pod: its account and token, its priority, what it tolerates. */
export function admitPod(pod: UnknownObject & Pod, context: StrategyContext): PodSpec {
  return withTolerations(withPriority(withServiceAccount(pod, context), pod, context));
}

/** The account that the pod acts as, and its token where containers expect it. */
function withServiceAccount(pod: Pod, context: StrategyContext): PodSpec {
  const { spec, metadata } = pod;
  const given = spec.serviceAccountName ?? spec.serviceAccount ?? "";
  const name = given === "" ? "default" : given;
  const account = context.find("serviceaccounts", { namespace: metadata.namespace, name }) as (UnknownObject & ServiceAccount) | undefined;
  if (account === undefined) {
    throw forbidden(
      PODS,
      metadata.name,
      `error looking up service account ${metadata.namespace ?? ""}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  }
  const secrets = (spec.imagePullSecrets ?? []).length > 0 ? spec.imagePullSecrets : account.imagePullSecrets;
  const named: PodSpec = { ...spec, serviceAccountName: name, serviceAccount: name, ...(secrets === undefined ? {} : { imagePullSecrets: secrets }) };
  return (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) ? withToken(named, context) : named;
}

function withToken(spec: PodSpec, { newId }: StrategyContext): PodSpec {
  const isMounted = ({ volumeMounts = [] }: Container): boolean => volumeMounts.some(({ mountPath }) => mountPath === TOKEN_MOUNT);
  if ([...(spec.initContainers ?? []), ...spec.containers].every(isMounted)) return spec;

  const present = spec.volumes?.find(({ name }) => name.startsWith(TOKEN_VOLUME))?.name;
  const name = present ?? generateName(TOKEN_VOLUME, newId());
  const mount = (container: Container): Container =>
    isMounted(container)
      ? container
      : { ...container, volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: TOKEN_MOUNT }] };
  const sources = [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
  ];
  return {
    ...spec,
    containers: spec.containers.map(mount),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(mount) }),
    volumes: present === undefined ? [...(spec.volumes ?? []), { name, projected: { sources, defaultMode: 420 } }] : (spec.volumes ?? []),
  };
}

function withPriority(spec: PodSpec, { metadata }: Pod, context: StrategyContext): PodSpec {
  const chosen = priorityClass(spec.priorityClassName ?? "", context);
  if ((spec.priorityClassName ?? "") !== "" && chosen === undefined) {
    throw forbidden(PODS, metadata.name, `no PriorityClass with name ${spec.priorityClassName ?? ""} was found`);
  }
  const priority = chosen?.value ?? 0;
  const policy = chosen?.preemptionPolicy ?? "PreemptLowerPriority";
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw forbidden(
      PODS,
      metadata.name,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    );
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw forbidden(
      PODS,
      metadata.name,
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
    );
  }
  return { ...spec, priority, preemptionPolicy: policy, ...(chosen === undefined ? {} : { priorityClassName: chosen.metadata.name }) };
}

/** The class of that name, or the default one of the cluster: of several the least. */
function priorityClass(name: string, context: StrategyContext): PriorityClass | undefined {
  const table = "priorityclasses.scheduling.k8s.io";
  if (name !== "") return context.find(table, { name }) as (UnknownObject & PriorityClass) | undefined;
  const defaults = (context.list(table) as (UnknownObject & PriorityClass)[]).filter(({ globalDefault }) => globalDefault === true);
  return defaults.toSorted((a, b) => a.value - b.value)[0];
}

function withTolerations(spec: PodSpec): PodSpec {
  const tolerations = [...(spec.tolerations ?? [])];
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const isTolerated = tolerations.some(
      (one) => ((one.key ?? "") === "" || one.key === key) && ((one.effect ?? "") === "" || one.effect === "NoExecute"),
    );
    const added: Toleration = { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: EVICTION_SECONDS };
    if (!isTolerated) tolerations.push(added);
  }
  return { ...spec, tolerations };
}

type Amounts = Readonly<Record<string, string>>;

/** How a pod is treated when its node runs short: only processor and memory count. */
export function qosClass({ containers, initContainers = [] }: PodSpec): "BestEffort" | "Burstable" | "Guaranteed" {
  const all = [...containers, ...initContainers].map(({ resources }): { requests: Amounts; limits: Amounts } => ({
    requests: counted(resources?.requests),
    limits: counted(resources?.limits),
  }));
  if (all.every(({ requests, limits }) => Object.keys(requests).length === 0 && Object.keys(limits).length === 0)) return "BestEffort";
  const isFixed = ({ requests, limits }: { requests: Amounts; limits: Amounts }): boolean =>
    ["cpu", "memory"].every((name) => {
      const [request, limit] = [requests[name], limits[name]];
      return (
        request !== undefined && limit !== undefined && (request === limit || compareQuantities(parseQuantity(request), parseQuantity(limit)) === 0)
      );
    });
  return all.every(isFixed) ? "Guaranteed" : "Burstable";
}

/** The amounts that count; as they are canonical, none is just `0`. */
function counted(amounts: Readonly<Record<string, unknown>> = {}): Amounts {
  const result: Record<string, string> = {};
  for (const name of ["cpu", "memory"]) {
    const amount = amounts[name];
    if (typeof amount === "string" && amount !== "0") result[name] = amount;
  }
  return result;
}
