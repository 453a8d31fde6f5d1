import { ApiError, UserError } from "@sluice/kubernetes";
import { parseQuantity } from "@sluice/kubernetes";
import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { RUN_LABEL } from "./pod-types.ts";
import type { RunInfo, TaskRecord, VolumeClaimManifest } from "./types.ts";

/** The images that stand for making and deleting a volume claim; no container runs. */
export const CLAIM_IMAGES: { readonly create: string; readonly delete: string } = { create: "argostub/createpvc", delete: "argostub/deletepvc" };

/** The name of the claim that holds a run's workspace. */
export function workspaceClaimName(runId: string): string {
  return `${runId}-kfp-workspace`;
}

function quantity(what: string, text: string): string {
  try {
    parseQuantity(text);
    return text;
  } catch (error) {
    if (error instanceof ApiError) throw new UserError(`${what}: ${error.message}`, { cause: error });
    throw error;
  }
}

function text(parameters: JsonObject, name: string): string | undefined {
  const value = parameters[name] ?? undefined;
  if (value !== undefined && typeof value !== "string") throw new UserError(`input parameter ${JSON.stringify(name)} must be a string`);
  return value;
}

function texts(value: JsonValue | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** The claim that a CreatePVC task makes. */
export function claimOf(info: RunInfo, task: TaskRecord, parameters: JsonObject): VolumeClaimManifest {
  const accessModes = texts(parameters["access_modes"]);
  if (accessModes.length === 0) throw new UserError('input parameter "access_modes" names no access mode');
  const size = text(parameters, "size");
  if (size === undefined) throw new UserError('input parameter "size" is missing');
  const given = text(parameters, "pvc_name");
  const suffix = text(parameters, "pvc_name_suffix");
  if (given !== undefined && suffix !== undefined) throw new UserError('only one of "pvc_name" and "pvc_name_suffix" may be given');
  const className = text(parameters, "storage_class_name");
  const volumeName = text(parameters, "volume_name");
  const annotations = parameters["annotations"];
  const dataSource = parameters["data_source"];
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: given ?? `${task.id}${suffix ?? ""}`,
      namespace: info.namespace,
      labels: { [RUN_LABEL]: info.id },
      ...(isJsonObject(annotations)
        ? { annotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, String(value)])) }
        : {}),
    },
    spec: {
      accessModes,
      resources: { requests: { storage: quantity('input parameter "size"', size) } },
      // As upstream: no class asked for means `standard`, an empty one means the cluster's choice.
      ...(className === "" ? {} : { storageClassName: className ?? "standard" }),
      ...(volumeName === undefined || volumeName === "" ? {} : { volumeName }),
      ...(isJsonObject(dataSource) ? { dataSource } : {}),
    },
  };
}

/** The claim of a run's workspace; undefined if its pipeline has none. */
export function workspaceClaimOf(info: RunInfo): VolumeClaimManifest | undefined {
  const workspace = info.platform?.platforms.kubernetes.pipelineConfig?.workspace;
  if (workspace === undefined) return undefined;
  const patch = workspace.kubernetes?.pvcSpecPatch ?? {};
  const modes = texts(patch["accessModes"]);
  const className = text(patch, "storageClassName");
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: workspaceClaimName(info.id), namespace: info.namespace, labels: { [RUN_LABEL]: info.id } },
    spec: {
      accessModes: modes.length > 0 ? modes : ["ReadWriteOnce"],
      resources: { requests: { storage: quantity("the workspace's size", workspace.size ?? "") } },
      ...(className === undefined || className === "" ? {} : { storageClassName: className }),
    },
  };
}
