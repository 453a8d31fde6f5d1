import { isDeepStrictEqual } from "node:util";
import { defineController, defineIndex, type Cache, type Controller, type IndexDefinition, type ReconcileContext } from "@sluice/controller";
import {
  isApiError,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  type ObjectKey,
  type PersistentVolumeClaimStatus,
} from "@sluice/kubernetes";
import { CLAIM_PROTECTION, DIRECTORY_PROVISIONER, PROVISIONED_BY } from "../../volume/storage-class.ts";
import { finalizersWithout } from "./finalizers-without.ts";
import { isLargeEnough, requestOf } from "./match-volume.ts";
import { BIND_COMPLETED, planClaim, type ClaimStep } from "./plan-claim.ts";
import { provisionedVolume } from "./provision.ts";
import { writePhase } from "./write-phase.ts";

const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
/** As upstream, under its present and its former name. */
const STORAGE_PROVISIONER = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];

/** Finds pods by the claims that they use. */
const podsByClaim: IndexDefinition = defineIndex(Pod, "claim", ({ metadata, spec }) =>
  (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: use }) => (use === undefined ? [] : [`${metadata.namespace ?? ""}/${use.claimName}`])),
);

/** Leads each claim to a volume, one that is there or one made for it, and keeps it as long as pods use it. */
export function persistentVolumeClaimController(): Controller {
  return defineController({
    name: "persistentvolume-controller",
    for: PersistentVolumeClaim,
    indexes: [podsByClaim],
    watches: [
      {
        resource: Pod,
        keys: ({ metadata: { namespace }, spec }: Pod): ObjectKey[] =>
          (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: use }) => (use === undefined ? [] : [{ namespace, name: use.claimName }])),
      },
      {
        resource: PersistentVolume,
        keys({ metadata, spec: { claimRef } }: PersistentVolume, cache): ObjectKey[] {
          const named = claimRef?.name === undefined ? [] : [{ namespace: claimRef.namespace, name: claimRef.name }];
          const bound = cache.list(PersistentVolumeClaim).filter(({ spec }) => spec.volumeName === metadata.name);
          return [...named, ...bound.map((claim) => claim.metadata), ...(claimRef === undefined ? pendingClaims(cache) : [])];
        },
      },
      { resource: StorageClass, keys: (_, cache) => pendingClaims(cache) },
      { resource: Node, keys: (_, cache) => pendingClaims(cache) },
    ],
    concurrency: 5,
    async reconcile(key, context) {
      const { cache } = context;
      const claim = cache.get(PersistentVolumeClaim, key);
      if (claim === undefined) return;
      if (claim.metadata.deletionTimestamp !== undefined) {
        await unprotect(claim, context);
        return;
      }
      const users = cache.byIndex(Pod, podsByClaim.name, `${key.namespace ?? ""}/${key.name}`).filter(isUser);
      const volumes = cache.list(PersistentVolume);
      const step = planClaim({ claim, users, volumes, classes: cache.list(StorageClass), nodes: cache.list(Node) });
      await carryOut(claim, step, context);
    },
  });
}

async function carryOut(claim: PersistentVolumeClaim, step: ClaimStep, context: ReconcileContext): Promise<void> {
  const { client, events } = context;
  const { uid, resourceVersion } = claim.metadata;
  switch (step.do) {
    case "bind":
      return bind(claim, step.volume, context);
    case "provision": {
      const wanted = provisionedVolume(claim, step.storageClass, step.node);
      await bind(await annotateProvisioner(claim, DIRECTORY_PROVISIONER, context), await createVolume(wanted, context), context);
      const message = `Successfully provisioned volume ${wanted.metadata.name}`;
      return events.record(claim, { type: "Normal", reason: "ProvisioningSucceeded", message });
    }
    case "delegate": {
      const { provisioner } = step;
      await annotateProvisioner(claim, provisioner, context);
      const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
      return events.record(claim, { type: "Normal", reason: "ExternalProvisioning", message });
    }
    case "classify":
      await client.patch(PersistentVolumeClaim, claim.metadata, {
        type: "merge",
        body: { metadata: { uid, resourceVersion }, spec: { storageClassName: step.storageClass } },
      });
      return;
    case "wait":
      if (step.event !== undefined) events.record(claim, step.event);
      return writeStatus(claim, { ...claim.status, phase: "Pending" }, context);
    case "lose": {
      // A volume that the cache does not show may only be younger than the cache.
      const name = claim.spec.volumeName ?? "";
      const volume = name === "" ? undefined : await client.find(PersistentVolume, { name });
      if (volume !== undefined && (volume.spec.claimRef === undefined || volume.spec.claimRef.uid === uid)) return bind(claim, volume, context);
      if (claim.status?.phase === "Lost") return;
      events.record(claim, step.event);
      return writeStatus(claim, { phase: "Lost" }, context);
    }
  }
}

/** Ties a volume and a claim to each other; what is tied already is left as it is. */
async function bind(claim: PersistentVolumeClaim, volume: PersistentVolume, context: ReconcileContext): Promise<void> {
  const { client, events } = context;
  const { namespace = "", name, uid = "" } = claim.metadata;
  const { claimRef } = volume.spec;
  let bound = volume;
  if (claimRef?.uid !== uid) {
    bound = await client.patch(PersistentVolume, volume.metadata, {
      type: "merge",
      body: {
        metadata: {
          resourceVersion: volume.metadata.resourceVersion,
          ...(claimRef === undefined ? { annotations: { [BOUND_BY_CONTROLLER]: "yes" } } : {}),
        },
        spec: { claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid } },
      },
    });
  }
  const isOurs = bound.metadata.annotations?.[PROVISIONED_BY] === DIRECTORY_PROVISIONER;
  const grows = isOurs && claim.metadata.annotations?.[BIND_COMPLETED] !== undefined && !isLargeEnough(bound, claim);
  if (grows) {
    // A directory is as large as it has to be.
    bound = await client.patch(PersistentVolume, bound.metadata, { type: "merge", body: { spec: { capacity: { storage: requestOf(claim) } } } });
    events.record(claim, { type: "Normal", reason: "VolumeResizeSuccessful", message: "Resize volume succeeded" });
  }
  await writePhase(bound, { phase: "Bound" }, context);
  const own = claim.metadata.annotations ?? {};
  let tied = claim;
  if (claim.spec.volumeName !== bound.metadata.name || own[BIND_COMPLETED] === undefined) {
    const chosen = (claim.spec.volumeName ?? "") === "" ? { [BOUND_BY_CONTROLLER]: "yes" } : {};
    tied = await client.patch(PersistentVolumeClaim, claim.metadata, {
      type: "merge",
      body: {
        metadata: { uid, resourceVersion: claim.metadata.resourceVersion, annotations: { [BIND_COMPLETED]: "yes", ...chosen } },
        spec: { volumeName: bound.metadata.name },
      },
    });
  }
  const { accessModes, capacity } = bound.spec;
  await writeStatus(
    tied,
    {
      ...tied.status,
      phase: "Bound",
      ...(accessModes === undefined ? {} : { accessModes }),
      ...(capacity === undefined ? {} : { capacity }),
    },
    context,
  );
}

/** Creates a volume, or finds the one that was created before a crash. */
async function createVolume(volume: PersistentVolume, { client }: ReconcileContext): Promise<PersistentVolume> {
  try {
    return await client.create(PersistentVolume, volume);
  } catch (error) {
    if (!isApiError(error, "AlreadyExists")) throw error;
    return client.get(PersistentVolume, volume.metadata);
  }
}

async function annotateProvisioner(claim: PersistentVolumeClaim, provisioner: string, { client }: ReconcileContext): Promise<PersistentVolumeClaim> {
  const { uid, resourceVersion, annotations: present = {} } = claim.metadata;
  if (STORAGE_PROVISIONER.every((key) => present[key] === provisioner)) return claim;
  const annotations = Object.fromEntries(STORAGE_PROVISIONER.map((key) => [key, provisioner]));
  return client.patch(PersistentVolumeClaim, claim.metadata, { type: "merge", body: { metadata: { uid, resourceVersion, annotations } } });
}

async function writeStatus(claim: PersistentVolumeClaim, status: PersistentVolumeClaimStatus, { client }: ReconcileContext): Promise<void> {
  if (isDeepStrictEqual(claim.status, status)) return;
  try {
    await client.update(PersistentVolumeClaim, { ...claim, status }, { subresource: "status" });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Deleted meanwhile: nobody will ask.
  }
}

/** Lets a claim go that is being deleted, once no pod on a node uses it. */
async function unprotect(claim: PersistentVolumeClaim, { client }: ReconcileContext): Promise<void> {
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  const finalizers = finalizersWithout(claim, CLAIM_PROTECTION);
  if (finalizers === undefined) return;
  // The cache may not show yet who has just begun to use it.
  const { items } = await client.list(Pod, { namespace });
  const isUsed = items.some(
    (pod) =>
      isUser(pod) && (pod.spec.nodeName ?? "") !== "" && (pod.spec.volumes ?? []).some(({ persistentVolumeClaim: use }) => use?.claimName === name),
  );
  if (isUsed) return;
  await client.patch(PersistentVolumeClaim, claim.metadata, { type: "merge", body: { metadata: { uid, resourceVersion, finalizers } } });
}

/** Whether a pod keeps what it uses. */
function isUser({ status }: Pod): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed";
}

function pendingClaims(cache: Cache): ObjectKey[] {
  return cache
    .list(PersistentVolumeClaim)
    .filter(({ metadata }) => metadata.annotations?.[BIND_COMPLETED] === undefined)
    .map(({ metadata }) => metadata);
}
