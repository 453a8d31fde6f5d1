import { jsonEqual, type PersistentVolumeClaim, type UnknownObject } from "@sluice/kubernetes";
import type { Strategy } from "../strategy.ts";
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

/** Claims: once made they may be bound and grow, nothing else. */
export const persistentVolumeClaimStrategy: Strategy = {
  hasGeneration: false,
  returnsDeleted: true,
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
    if (jsonEqual(fixed(claim, claim.spec?.volumeName), fixed(settled, volume))) return [];
    return [forbid("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims")];
  },
};
