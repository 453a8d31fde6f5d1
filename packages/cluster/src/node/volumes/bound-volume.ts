import { chmodSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import type { Client } from "@sluice/client";
import { PersistentVolume, PersistentVolumeClaim, type ObjectKey } from "@sluice/kubernetes";
import { DIRECTORY_PROVISIONER, PROVISIONED_BY } from "../../volume/storage-class.ts";
import { ConfigError } from "../environment/config-error.ts";
import { prepareHostPath } from "./host-path.ts";

/** A claim has no volume yet. Its events say why; a change of the claim ends it. */
export class UnboundClaimError extends ConfigError {}

/** Where a node that keeps its things in `directory` keeps volumes. */
export function volumesDirectory(directory: string): string {
  return join(directory, "volumes");
}

/** The path on this machine of the volume that a claim is bound to. Only a pod that runs already keeps a claim that is being deleted. */
export async function prepareClaim(client: Client, key: ObjectKey, options: { readonly node: string; readonly isRunning: boolean }): Promise<string> {
  const { node, isRunning } = options;
  const claim = await client.find(PersistentVolumeClaim, key);
  const named = `persistentvolumeclaim ${JSON.stringify(key.name)}`;
  if (claim === undefined) throw new ConfigError(`${named} not found`);
  if (claim.metadata.deletionTimestamp !== undefined && !isRunning) throw new ConfigError(`${named} is being deleted`);
  const name = claim.spec.volumeName ?? "";
  if (claim.status?.phase !== "Bound" || name === "") throw new UnboundClaimError(`${named} is not bound`);
  const volume = await client.find(PersistentVolume, { name });
  const { claimRef, hostPath, local } = volume?.spec ?? {};
  if (volume === undefined || claimRef?.uid !== claim.metadata.uid) throw new ConfigError(`${named} has lost its volume ${JSON.stringify(name)}`);
  if (hostPath !== undefined && isMadeHere(volume, node)) {
    // As upstream, every user may write to it.
    if (mkdirSync(hostPath.path, { recursive: true }) !== undefined) chmodSync(hostPath.path, 0o777);
    return hostPath.path;
  }
  if (hostPath !== undefined) return prepareHostPath(hostPath);
  if (local !== undefined) return prepareHostPath({ path: local.path });
  throw new ConfigError(`this node cannot mount volume ${JSON.stringify(name)}: it mounts hostPath and local volumes`);
}

/** Takes away a volume that was made in this node's directory, its data first, once its claim is gone. */
export async function reclaimVolume(client: Client, volume: PersistentVolume, node: string): Promise<void> {
  const { metadata, spec, status } = volume;
  if (status?.phase !== "Released" || spec.persistentVolumeReclaimPolicy !== "Delete" || !isMadeHere(volume, node)) return;
  const path = spec.hostPath?.path ?? "";
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
  if (metadata.deletionTimestamp !== undefined) return;
  await client.delete(PersistentVolume, metadata, metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
}

/** Whether a volume is a directory of this node's own: its name alone, or a namespace's and a claim's. */
function isMadeHere({ metadata, spec }: PersistentVolume, node: string): boolean {
  const root = volumesDirectory(node);
  const path = normalize(spec.hostPath?.path ?? "");
  const isInside = dirname(path) === root || dirname(dirname(path)) === root;
  return metadata.annotations?.[PROVISIONED_BY] === DIRECTORY_PROVISIONER && isInside && path !== root && !path.endsWith(sep);
}
