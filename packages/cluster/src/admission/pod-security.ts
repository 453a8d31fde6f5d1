import {
  invalid,
  type CronJob,
  type Namespace,
  type ObjectMeta,
  type Pod,
  type PodSpec,
  type PodTemplateSpec,
  type UnknownObject,
} from "@sluice/kubernetes";
import { forbidden, qualified } from "../api-server/api-errors.ts";
import type { Store } from "../store/store.ts";
import type { AdmissionNotes, AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { findingsOf, showFindings } from "./pod-security/checks.ts";
import { isSameLevel, isStricter, readPolicy, showLevel, type LevelVersion } from "./pod-security/policy.ts";

const ANNOTATION = "pod-security.kubernetes.io/";
const WORKLOADS: readonly string[] = [
  "podtemplates",
  "replicationcontrollers",
  "replicasets.apps",
  "deployments.apps",
  "daemonsets.apps",
  "statefulsets.apps",
  "jobs.batch",
  "cronjobs.batch",
];
/** More pods than this are not looked at when a namespace becomes stricter. */
const MOST_PODS = 3000;

/** Holds pods to the Pod Security Standards that their namespace's labels ask for, and warns of templates and pods that break them. */
export function podSecurity({ store }: { readonly store: Pick<Store, "get" | "list"> }): AdmissionPlugin {
  const namespaceOf = ({ namespace = "" }: AdmissionRequest): UnknownObject | undefined => store.get("namespaces", { name: namespace });
  return {
    name: "PodSecurity",
    handles: (request) => {
      const { operation, resource, subresource } = request;
      if (operation !== "CREATE" && operation !== "UPDATE") return false;
      const table = qualified(resource);
      if (table === "namespaces") return subresource === undefined;
      const isPod = table === "pods" && (subresource === undefined || subresource === "ephemeralcontainers" || subresource === "resize");
      if (!isPod && (subresource !== undefined || !WORKLOADS.includes(table))) return false;
      const labels = namespaceOf(request)?.metadata.labels ?? {};
      return Object.keys(labels).some((label) => label.startsWith(ANNOTATION));
    },
    validate: (request, notes) => {
      const { resource, object } = request;
      if (object === undefined) return;
      if (resource.plural === "namespaces") return judgeNamespace(request, object, notes);
      const target = resource.plural === "pods" ? podOf(request, object as UnknownObject & Pod) : templateOf(object);
      if (target !== undefined) judgePod(request, target, notes);
    },
  };

  function judgePod(request: AdmissionRequest, { metadata, spec, isEnforced }: Target, notes: AdmissionNotes): void {
    const { policy, causes } = readPolicy(namespaceOf(request)?.metadata.labels);
    const problem = ofOne(metadata, spec);
    if (causes.length > 0) {
      const errors = causes.map(({ field, message }) => `${field}: ${message}`);
      notes.annotate(`${ANNOTATION}error`, `Failed to parse policy: ${errors.length === 1 ? errors[0] : `[${errors.join(", ")}]`}`);
    }
    const audited = problem(policy.audit);
    if (audited !== undefined) notes.annotate(`${ANNOTATION}audit-violations`, `would violate PodSecurity ${audited}`);
    if (isEnforced) {
      notes.annotate(`${ANNOTATION}enforce-policy`, showLevel(policy.enforce));
      const enforced = problem(policy.enforce);
      if (enforced !== undefined) throw forbidden(request.resource, metadata.name ?? request.name, `violates PodSecurity ${enforced}`);
    }
    const warned = problem(policy.warn);
    if (warned !== undefined) notes.warn(`would violate PodSecurity ${warned}`);
  }

  function judgeNamespace({ operation, resource, oldObject }: AdmissionRequest, object: UnknownObject, notes: AdmissionNotes): void {
    const { metadata } = object as UnknownObject & Namespace;
    const { policy, causes } = readPolicy(metadata.labels);
    const before = readPolicy(operation === "UPDATE" ? oldObject?.metadata.labels : {});
    const isNews = causes.some(({ message, field }) => !before.causes.some((one) => one.field === field && one.message === message));
    if (causes.length > 0 && (isNews || causes.length !== before.causes.length)) throw invalid(resource.kind, resource.group, metadata.name, causes);
    if (operation === "CREATE") return;
    const [next, last] = [policy.enforce, before.policy.enforce];
    if (next.level === "privileged" || isSameLevel(next, last) || (next.minor === last.minor && !isStricter(next.level, last.level))) return;
    for (const warning of warningsOf(metadata.name, store.list("pods", { namespace: metadata.name }).items as (UnknownObject & Pod)[], next))
      notes.warn(warning);
  }
}

interface Target {
  readonly metadata: Partial<ObjectMeta>;
  readonly spec: PodSpec;
  /** A template is warned of; only the pod that comes of it is refused. */
  readonly isEnforced: boolean;
}

/** A pod that is new, or whose change may matter: only images do. */
function podOf({ operation, oldObject }: AdmissionRequest, { metadata, spec }: Pod): Target | undefined {
  const target = { metadata, spec, isEnforced: true };
  if (operation !== "UPDATE" || oldObject === undefined) return target;
  const images = ({ containers, initContainers = [] }: PodSpec): string =>
    JSON.stringify([containers, initContainers].map((list) => list.map(({ image }) => image)));
  const before = (oldObject as UnknownObject & Pod).spec;
  const known = before.ephemeralContainers ?? [];
  const isNew = (spec.ephemeralContainers ?? []).some(({ name, image }) => known.find((one) => one.name === name)?.image !== image);
  return isNew || images(spec) !== images(before) ? target : undefined;
}

function templateOf(object: UnknownObject): Target | undefined {
  const template =
    object.kind === "PodTemplate"
      ? (object as UnknownObject & { template?: PodTemplateSpec }).template
      : object.kind === "CronJob"
        ? (object as UnknownObject & CronJob).spec.jobTemplate.spec?.template
        : (object as UnknownObject & { spec?: { template?: PodTemplateSpec } }).spec?.template;
  return template?.spec === undefined ? undefined : { metadata: template.metadata ?? {}, spec: template.spec, isEnforced: false };
}

/** What each level has against one pod: the three often ask the same. */
function ofOne(metadata: Partial<ObjectMeta>, spec: PodSpec): (level: LevelVersion) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (level) => {
    const name = showLevel(level);
    if (!known.has(name)) {
      const findings = findingsOf(level, metadata, spec);
      known.set(name, findings.length === 0 ? undefined : `${JSON.stringify(name)}: ${showFindings(findings)}`);
    }
    return known.get(name);
  };
}

/** What to say to who makes a namespace stricter than the pods in it. */
function warningsOf(namespace: string, pods: readonly (UnknownObject & Pod)[], level: LevelVersion): string[] {
  const checked = oneOfEachOwnerFirst(pods).slice(0, MOST_PODS);
  const byReason = Map.groupBy(checked, ({ metadata, spec }) =>
    findingsOf(level, metadata, spec)
      .map(({ reason }) => reason)
      .join(", "),
  );
  byReason.delete("");
  const each = [...byReason].map(([reason, [...bad]]) => {
    const [first = ""] = bad.map(({ metadata: { name } }) => name).toSorted();
    const others = bad.length - 1;
    const more = others === 0 ? "" : others === 1 ? " (and 1 other pod)" : ` (and ${others} other pods)`;
    return `${first}${more}: ${reason}`;
  });
  return [
    ...(checked.length < pods.length
      ? [`new PodSecurity enforce level only checked against the first ${checked.length} of ${pods.length} existing pods`]
      : []),
    ...(each.length > 0
      ? [`existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(showLevel(level))}`]
      : []),
    ...each.toSorted(),
  ];
}

/** Pods of one owner are alike: the others come last. */
function oneOfEachOwnerFirst(pods: readonly (UnknownObject & Pod)[]): (UnknownObject & Pod)[] {
  const seen = new Set<string>();
  const { first = [], rest = [] } = Object.groupBy(pods, ({ metadata: { ownerReferences = [] } }) => {
    const owner = ownerReferences.find(({ controller }) => controller === true)?.uid;
    if (owner === undefined || !seen.has(owner)) {
      if (owner !== undefined) seen.add(owner);
      return "first";
    }
    return "rest";
  });
  return [...first, ...rest];
}
