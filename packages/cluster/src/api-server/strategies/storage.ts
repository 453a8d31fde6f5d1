import {
  compareQuantities,
  jsonEqual,
  parseQuantity,
  type Cause,
  type PersistentVolumeClaim,
  type StorageClass,
  type UnknownObject,
} from "@sluice/kubernetes";
import { CLAIM_PROTECTION, defaultStorageClass, VOLUME_PROTECTION } from "../../volume/storage-class.ts";
import { forbidden } from "../api-errors.ts";
import type { Strategy, StrategyContext } from "../strategy.ts";
import { forbid } from "./immutable.ts";

const CLASS_FIELDS = ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"] as const;

/** Storage classes: what volumes were made by is history. */
export const storageClassStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
  validate: (next, current) =>
    current === undefined
      ? []
      : CLASS_FIELDS.flatMap((field) => (jsonEqual(next[field], current[field]) ? [] : [forbid(field, `updates to ${field} are forbidden.`)])),
};

/** Volumes: they are not gone while claims are bound to them. */
export const persistentVolumeStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
  prepareCreate: (object) => withFinalizer(object, VOLUME_PROTECTION),
};

const CLASSES = "storageclasses.storage.k8s.io";

/** Claims: of the default class unless they say otherwise; once made they may be bound and grow, nothing else. */
export const persistentVolumeClaimStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
  prepareCreate: (object, context) => {
    const claim = withFinalizer(object, CLAIM_PROTECTION) as UnknownObject & PersistentVolumeClaim;
    if (claim.spec.storageClassName !== undefined || claim.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined)
      return claim;
    const chosen = defaultStorageClass(context.list(CLASSES) as (UnknownObject & StorageClass)[])?.metadata.name;
    return chosen === undefined ? claim : { ...claim, spec: { ...claim.spec, storageClassName: chosen } };
  },
  prepareUpdate: (next, current, context) => {
    checkExpansion(next as UnknownObject & PersistentVolumeClaim, current as UnknownObject & PersistentVolumeClaim, context);
    return next;
  },
  validate: (next, current) => {
    if (current === undefined) return [];
    const fixed = (claim: PersistentVolumeClaim, volumeName: string | undefined): unknown => {
      const { resources, volumeAttributesClassName: _, ...spec } = claim.spec ?? {};
      return { ...spec, volumeName, resources: { ...resources, requests: { ...resources?.requests, storage: undefined } } };
    };
    const before = current as UnknownObject & PersistentVolumeClaim;
    const claim = next as UnknownObject & PersistentVolumeClaim;
    const bound = before.spec?.volumeName ?? "";
    // Binding sets the volume; a claim without a class may still be given the default one.
    const volume = bound === "" ? claim.spec?.volumeName : bound;
    const late = before.spec?.storageClassName === undefined && bound === "" ? { storageClassName: claim.spec?.storageClassName } : {};
    const settled = { ...before, spec: { ...before.spec, ...late } } as PersistentVolumeClaim;
    if (jsonEqual(fixed(claim, claim.spec?.volumeName), fixed(settled, volume))) return validateSize(claim, before);
    return [forbid("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")];
  },
};

/** A claim may not shrink below what it has. */
function validateSize(next: PersistentVolumeClaim, current: PersistentVolumeClaim): Cause[] {
  const change = compareSizes(next, current);
  if (change === 0) return [];
  const field = "spec.resources.requests.storage";
  const has = current.status?.capacity?.["storage"] ?? "0";
  const isBelow = compareQuantities(parseQuantity(sizeOf(next)), parseQuantity(has)) < 0;
  return change < 0 && isBelow ? [forbid(field, "field can not be less than status.capacity")] : [];
}

/** Only what its class lets grow may grow. */
function checkExpansion(
  next: UnknownObject & PersistentVolumeClaim,
  current: UnknownObject & PersistentVolumeClaim,
  { find }: StrategyContext,
): void {
  if (compareSizes(next, current) <= 0) return;
  const refuse = (why: string): never => {
    throw forbidden({ plural: "persistentvolumeclaims", group: "" }, current.metadata.name, why);
  };
  if (current.status?.phase !== "Bound") refuse("Only bound persistent volume claims can be expanded");
  const name = current.spec.storageClassName ?? "";
  const storageClass = name === "" ? undefined : (find(CLASSES, { name }) as (UnknownObject & StorageClass) | undefined);
  if (storageClass?.allowVolumeExpansion === true) return;
  refuse("only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize");
}

function compareSizes(a: PersistentVolumeClaim, b: PersistentVolumeClaim): number {
  return compareQuantities(parseQuantity(sizeOf(a)), parseQuantity(sizeOf(b)));
}

function sizeOf({ spec }: PersistentVolumeClaim): string {
  return spec.resources?.requests?.["storage"] ?? "0";
}

function withFinalizer(object: UnknownObject, finalizer: string): UnknownObject {
  const { finalizers = [] } = object.metadata;
  return finalizers.includes(finalizer) ? object : { ...object, metadata: { ...object.metadata, finalizers: [...finalizers, finalizer] } };
}
