import type { StorageClass, UnknownObject } from "@sluice/kubernetes";

/** Who makes volumes out of directories of nodes. */
export const DIRECTORY_PROVISIONER = "sluice.dev/directory";
/** Annotation of a node: the directory in which it keeps volumes. */
export const VOLUMES_DIRECTORY = "sluice.dev/volumes";
/** Annotation of a volume: who made it. */
export const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
/** Finalizer: a claim stays while pods use it. */
export const CLAIM_PROTECTION = "kubernetes.io/pvc-protection";
/** Finalizer: a volume stays while it is bound. */
export const VOLUME_PROTECTION = "kubernetes.io/pv-protection";

const DEFAULT_MARKS = ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/** The class of claims that name none: directories, made where the first pod that uses the claim runs. */
export const standardStorageClass: UnknownObject & StorageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
  provisioner: DIRECTORY_PROVISIONER,
  reclaimPolicy: "Delete",
  volumeBindingMode: "WaitForFirstConsumer",
  allowVolumeExpansion: true,
};

/** The class that claims get which name none: of several the youngest. */
export function defaultStorageClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const age = ({ metadata }: StorageClass): number => Date.parse(metadata.creationTimestamp ?? "");
  return classes
    .filter(({ metadata }) => DEFAULT_MARKS.some((mark) => metadata.annotations?.[mark] === "true"))
    .toSorted((a, b) => age(b) - age(a) || (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}
