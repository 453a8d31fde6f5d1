import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Client } from "@sluice/client";
import type { Pod, Volume } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { prepareClaim, UnboundClaimError } from "./bound-volume.ts";
import { prepareHostPath } from "./host-path.ts";
import { writePayload } from "./payload.ts";
import { isSecret, makePayload, type PayloadContext } from "./payload-source.ts";

/** What a pod's volumes are made from. */
export interface VolumeContext extends PayloadContext {
  readonly client: Client;
  /** Of this pod's volumes. */
  readonly directory: string;
  /** Of the node. */
  readonly node: string;
  /** Brings an image here, and says where its files lie. */
  imageFiles(image: { readonly reference?: string; readonly pullPolicy?: string }): Promise<string>;
}

/** A pod's volumes on this machine. */
export interface MadeVolumes {
  readonly paths: ReadonlyMap<string, string>;
  /** When a token among them is to be replaced. */
  readonly refreshAt?: number | undefined;
}

/** Where the kernel keeps files in memory. */
const MEMORY = "/dev/shm";

/**
 * Makes all volumes of a pod, or makes them anew where they show what changes; data stay. Throws `ConfigError` with
 * kubelet's wording, or tells `onError` if the pod runs already and goes on with what it has.
 */
export async function makeVolumes(
  volumes: readonly Volume[],
  context: VolumeContext,
  options: { readonly onError?: (error: ConfigError) => void } = {},
): Promise<MadeVolumes> {
  const paths = new Map<string, string>();
  let refreshAt: number | undefined;
  for (const volume of volumes) {
    try {
      const made = await makePayload(volume, context);
      const path = made === undefined ? await dataVolume(volume, context, options.onError !== undefined) : payloadDirectory(volume, context);
      if (made !== undefined) writePayload(path, made.files);
      if (made?.refreshAt !== undefined) refreshAt = Math.min(refreshAt ?? Infinity, made.refreshAt);
      paths.set(volume.name, path);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof UnboundClaimError && options.onError === undefined) throw cause;
      const error = new ConfigError(`MountVolume.SetUp failed for volume ${JSON.stringify(volume.name)} : ${why}`, { cause });
      if (options.onError === undefined) throw error;
      options.onError(error);
      paths.set(volume.name, join(context.directory, volume.name));
    }
  }
  return { paths, refreshAt };
}

/** Whether something of a pod's volumes, of which those on disk are in `directory`, is there. */
export function hasVolumes(directory: string, uid: string): boolean {
  return existsSync(directory) || existsSync(memoryOf(uid));
}

/** Takes a pod's volumes away; claims and paths of the host stay. */
export async function removeVolumes(directory: string, uid: string): Promise<void> {
  for (const path of [memoryOf(uid), directory]) if (existsSync(path)) await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

async function dataVolume(volume: Volume, context: VolumeContext, isRunning: boolean): Promise<string> {
  const { directory, client, node, pod } = context;
  const path = join(directory, volume.name);
  if (volume.hostPath !== undefined) return prepareHostPath(volume.hostPath);
  if (volume.persistentVolumeClaim !== undefined) {
    return prepareClaim(client, { namespace: pod.metadata.namespace ?? "", name: volume.persistentVolumeClaim.claimName }, { node, isRunning });
  }
  if (volume.image !== undefined) return context.imageFiles(volume.image);
  if (volume.emptyDir?.medium === "Memory" && hasMemory()) {
    const memory = inMemory(path, pod);
    makeOpenDirectory(memory);
    return memory;
  }
  // An ephemeral volume lives as long as its pod, and so does its directory.
  if (volume.emptyDir !== undefined || volume.ephemeral !== undefined || Object.keys(volume).length === 1) {
    makeOpenDirectory(path);
    return path;
  }
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "";
  throw new ConfigError(`this node has no ${kind} volumes`);
}

/** As upstream, secrets and tokens lie in memory, where this machine has a place for that. */
function payloadDirectory(volume: Volume, { directory, pod }: VolumeContext): string {
  const path = join(directory, volume.name);
  return isSecret(volume) && hasMemory() ? inMemory(path, pod) : path;
}

function hasMemory(): boolean {
  return statSync(MEMORY, { throwIfNoEntry: false })?.isDirectory() === true;
}

function inMemory(path: string, { metadata }: Pod): string {
  const memory = join(memoryOf(metadata.uid ?? ""), basename(path));
  mkdirSync(memory, { recursive: true, mode: 0o711 });
  return memory;
}

/** Where a pod's volumes lie that are in memory. */
function memoryOf(uid: string): string {
  return join(MEMORY, `sluice-${uid}`);
}

/** As upstream, every user may write to it. */
function makeOpenDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
}
