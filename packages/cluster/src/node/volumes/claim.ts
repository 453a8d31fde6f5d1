import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Client } from "@sluice/client";
import { isApiError, PersistentVolumeClaim } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";

/**
 * The directory that a claim stands for on this node. The claim must exist; one that nobody has bound counts as bound
 * from its first use on, as with a class that waits for its first consumer.
 */
export async function prepareClaim(client: Client, key: { readonly namespace: string; readonly name: string }, node: string): Promise<string> {
  const claim = await client.find(PersistentVolumeClaim, key);
  if (claim === undefined) throw new ConfigError(`persistentvolumeclaim ${JSON.stringify(key.name)} not found`);
  if (claim.metadata.deletionTimestamp !== undefined) throw new ConfigError(`persistentvolumeclaim ${JSON.stringify(key.name)} is being deleted`);
  const { uid = "" } = claim.metadata;
  const directory = claimDirectory(node, key);
  // Data of an earlier claim of this name are not for this one.
  const owner = ownerOf(directory);
  if (owner !== undefined && owner !== uid) await rm(directory, { recursive: true, force: true });
  if (mkdirSync(directory, { recursive: true }) !== undefined) chmodSync(directory, 0o777);
  if (owner !== uid) writeFileSync(ownerFile(directory), uid);
  if (claim.status?.phase === "Bound") return directory;
  const storage = claim.spec?.resources?.requests?.["storage"];
  const { accessModes } = claim.spec ?? {};
  try {
    await client.update(
      PersistentVolumeClaim,
      {
        ...claim,
        status: {
          ...claim.status,
          phase: "Bound",
          ...(accessModes === undefined ? {} : { accessModes }),
          ...(storage === undefined ? {} : { capacity: { storage } }),
        },
      },
      { subresource: "status" },
    );
  } catch (error) {
    // Another pod of the claim was faster, or the claim has just gone: neither concerns this directory.
    if (!isApiError(error, "Conflict") && !isApiError(error, "NotFound")) throw error;
  }
  return directory;
}

/** Where a claim's data lie. */
function claimDirectory(node: string, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return join(node, "volumes", namespace, name);
}

/** Deletes a claim's data: the claim of that uid is gone. */
export async function removeClaim(node: string, key: { readonly namespace: string; readonly name: string }, uid: string): Promise<void> {
  const directory = claimDirectory(node, key);
  if (ownerOf(directory) !== uid) return;
  await rm(ownerFile(directory), { force: true });
  await rm(directory, { recursive: true, force: true });
}

/** No claim's name begins with a dot. */
function ownerFile(directory: string): string {
  return join(dirname(directory), `.${basename(directory)}`);
}

function ownerOf(directory: string): string | undefined {
  try {
    return readFileSync(ownerFile(directory), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
