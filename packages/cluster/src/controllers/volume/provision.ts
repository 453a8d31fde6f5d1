import { join } from "node:path/posix";
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "@sluice/kubernetes";
import { DIRECTORY_PROVISIONER, PROVISIONED_BY, VOLUMES_DIRECTORY } from "../../volume/storage-class.ts";
import { requestOf } from "./match-volume.ts";

/** Whether a node keeps volumes. */
export function keepsVolumes({ metadata }: Node): boolean {
  return metadata.annotations?.[VOLUMES_DIRECTORY] !== undefined;
}

/** Why no directory can be what a claim asks for; undefined if one can. */
export function whyNotProvisioned({ spec }: PersistentVolumeClaim): string | undefined {
  if (spec.selector !== undefined) return "claim Selector is not supported";
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined) return "a directory cannot be made from a data source";
  return spec.volumeMode === "Block" ? "block volume provisioning is not supported" : undefined;
}

/** A directory of a node as the volume of a claim. */
export function provisionedVolume(claim: PersistentVolumeClaim, storageClass: StorageClass, node: Node): PersistentVolume {
  const { namespace = "", name, uid = "" } = claim.metadata;
  const directory = node.metadata.annotations?.[VOLUMES_DIRECTORY] ?? "";
  const volume = `pvc-${uid}`;
  const hostname = node.metadata.labels?.["kubernetes.io/hostname"] ?? node.metadata.name;
  const { reclaimPolicy = "Delete", mountOptions } = storageClass;
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: volume, annotations: { [PROVISIONED_BY]: DIRECTORY_PROVISIONER } },
    spec: {
      capacity: { storage: requestOf(claim) },
      accessModes: [...(claim.spec.accessModes ?? [])],
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: storageClass.metadata.name,
      volumeMode: "Filesystem",
      ...(mountOptions === undefined ? {} : { mountOptions }),
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid },
      // A claim that was bound before there were volumes keeps its data.
      hostPath: { path: isBoundWithoutVolume(claim) ? join(directory, namespace, name) : join(directory, volume), type: "DirectoryOrCreate" },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [hostname] }] }] },
      },
    },
  };
}

/** Whether a node has bound a claim by itself, as it did when claims had no volumes. */
export function isBoundWithoutVolume({ spec, status }: PersistentVolumeClaim): boolean {
  return status?.phase === "Bound" && (spec.volumeName ?? "") === "";
}
