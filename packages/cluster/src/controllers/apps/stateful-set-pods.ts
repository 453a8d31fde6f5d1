import {
  StatefulSet,
  type OwnerReference,
  type PersistentVolumeClaim,
  type Pod,
  type PodTemplateSpec,
  type ObjectMeta,
  type Volume,
} from "@sluice/kubernetes";
import { controllerReference } from "./claim.ts";

/** Label of a pod: its own name, so that a Service can select it alone. */
const POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name";
/** Label of a pod: its ordinal. */
const POD_INDEX_LABEL = "apps.kubernetes.io/pod-index";
/** Label of a pod: the name of the ControllerRevision that it was made from. */
const REVISION_LABEL = "controller-revision-hash";

/** A pod's ordinal, if its name is one that the set gives. */
export function ordinalOf({ metadata }: StatefulSet, pod: { readonly metadata: Pick<ObjectMeta, "name"> }): number | undefined {
  const [, parent, digits] = /^(.*)-(\d+)$/.exec(pod.metadata.name) ?? [];
  return parent === metadata.name ? Number(digits) : undefined;
}

/** The ordinals of the pods that the set wants, in order. */
export function wantedOrdinals({ spec }: StatefulSet): number[] {
  const start = spec.ordinals?.start ?? 0;
  return Array.from({ length: spec.replicas ?? 1 }, (_, i) => start + i);
}

/** The name of the pod with that ordinal. */
export function podName({ metadata }: StatefulSet, ordinal: number): string {
  return `${metadata.name}-${ordinal}`;
}

/** The revision that a pod was made from. */
export function revisionOf({ metadata }: Pod): string {
  return metadata.labels?.[REVISION_LABEL] ?? "";
}

/** The labels by which a pod is known. */
export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [POD_NAME_LABEL]: podName(set, ordinal), [POD_INDEX_LABEL]: `${ordinal}` };
}

/** The pod with that ordinal, from the template of a revision. */
export function podOfStatefulSet(set: StatefulSet, ordinal: number, revision: { readonly name: string; readonly template: PodTemplateSpec }): Pod {
  const { metadata, spec } = set;
  const { metadata: meta, spec: podSpec } = revision.template;
  const name = podName(set, ordinal);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...meta,
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...meta?.labels, ...identityLabels(set, ordinal), [REVISION_LABEL]: revision.name },
      ownerReferences: [controllerReference({ owner: set, resource: StatefulSet })],
    },
    spec: {
      ...podSpec,
      hostname: name,
      ...(spec.serviceName === undefined || spec.serviceName === "" ? {} : { subdomain: spec.serviceName }),
      ...volumesOf(set, ordinal, podSpec.volumes),
    },
  };
}

/** The claims of the pod with that ordinal, as they are created. */
export function claimsOf(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  const { metadata, spec } = set;
  return (spec.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      ...(template.metadata.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      name: claimName(set, template, ordinal),
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...template.metadata.labels, ...spec.selector.matchLabels },
    },
    spec: template.spec,
  }));
}

/**
 * The owners that a claim should have so that it goes when its set wants it gone: with the set, or with the pod that
 * the set has become too small for. Undefined where it has them, or where somebody else controls it.
 */
export function claimOwners(set: StatefulSet, claim: PersistentVolumeClaim, pod: Pod): OwnerReference[] | undefined {
  const { ownerReferences = [] } = claim.metadata;
  const isOurs = ({ kind, name }: OwnerReference): boolean =>
    (kind === "StatefulSet" && name === set.metadata.name) || (kind === "Pod" && name === pod.metadata.name);
  const uids = new Set([set.metadata.uid, pod.metadata.uid]);
  // What an earlier set or pod of that name was to take along is going.
  if (ownerReferences.some((reference) => isOurs(reference) && !uids.has(reference.uid))) return undefined;
  const others = ownerReferences.filter((reference) => !isOurs(reference));
  const { whenDeleted = "Retain", whenScaled = "Retain" } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const isCondemned = !wantedOrdinals(set).includes(ordinalOf(set, pod) ?? -1);
  const wanted = [...others];
  if (!others.some(({ controller }) => controller === true)) {
    if (whenScaled === "Delete" && isCondemned) {
      const { name, uid = "" } = pod.metadata;
      wanted.push({ apiVersion: "v1", kind: "Pod", name, uid, controller: true, blockOwnerDeletion: true });
    } else if (whenDeleted === "Delete") wanted.push(controllerReference({ owner: set, resource: StatefulSet }));
  }
  const key = (references: readonly OwnerReference[]): string =>
    references
      .map(({ uid, controller }) => `${uid} ${controller === true}`)
      .toSorted()
      .join();
  return key(wanted) === key(ownerReferences) ? undefined : wanted;
}

/** Whether a claim is going with a pod that is no more: the next pod of that name must not meet it. */
export function isStaleClaim(set: StatefulSet, claim: PersistentVolumeClaim, ordinal: number): boolean {
  return (
    set.spec.persistentVolumeClaimRetentionPolicy?.whenScaled === "Delete" &&
    claim.metadata.ownerReferences?.some(({ kind, name }) => kind === "Pod" && name === podName(set, ordinal)) === true
  );
}

function claimName({ metadata }: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${metadata.name}-${ordinal}`;
}

function volumesOf(set: StatefulSet, ordinal: number, given: readonly Volume[] = []): { readonly volumes?: Volume[] } {
  const templates = set.spec.volumeClaimTemplates ?? [];
  const names = new Set(templates.map(({ metadata }) => metadata.name));
  const claimed = templates.map((template) => ({
    name: template.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
  }));
  const volumes = [...claimed, ...given.filter(({ name }) => !names.has(name))];
  return volumes.length === 0 ? {} : { volumes };
}
