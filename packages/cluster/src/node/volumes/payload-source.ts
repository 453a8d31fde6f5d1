import type { DownwardAPIVolumeFile, KeyToPath, ProjectedVolumeSource, Volume, VolumeProjection } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { fieldValue, resourceValue, type DownwardSource } from "../environment/downward-api.ts";
import type { Reference, References } from "../environment/references.ts";
import type { Payload, PayloadFile } from "./payload.ts";
import type { TokenSource } from "./service-account-token.ts";

/** What the files of a volume are made from. */
export interface PayloadContext extends DownwardSource {
  readonly references: References;
  readonly tokens: TokenSource;
}

/** A volume's files, and when they are to be made again. */
export interface MadePayload {
  readonly files: Payload;
  readonly refreshAt?: number | undefined;
}

const DEFAULT_MODE = 0o644;

/** The files of a configMap, secret, downwardAPI or projected volume; undefined for other volumes. */
export async function makePayload(volume: Volume, context: PayloadContext): Promise<MadePayload | undefined> {
  const projected = projectionOf(volume);
  if (projected === undefined) return undefined;
  const mode = projected.defaultMode ?? DEFAULT_MODE;
  const files = new Map<string, PayloadFile>();
  let refreshAt: number | undefined;
  for (const source of projected.sources ?? []) {
    const made = await filesOf(source, mode, context);
    for (const [path, file] of made.files) files.set(path, file);
    if (made.refreshAt !== undefined) refreshAt = Math.min(refreshAt ?? Infinity, made.refreshAt);
  }
  return { files, refreshAt };
}

/** The config maps and secrets that a volume shows. */
export function volumeReferences(volume: Volume): Reference[] {
  return (projectionOf(volume)?.sources ?? []).flatMap((source) => referenceOf(source) ?? []);
}

/** Whether a volume shows what may change in the pod itself: its labels and annotations. */
export function showsPod(volume: Volume): boolean {
  const items = (projectionOf(volume)?.sources ?? []).flatMap(({ downwardAPI }) => downwardAPI?.items ?? []);
  return items.some(({ fieldRef }) => fieldRef !== undefined && /^metadata\.(?:labels|annotations)/u.test(fieldRef.fieldPath));
}

/** Whether a volume holds what should not be on a disk: secrets and tokens. */
export function isSecret(volume: Volume): boolean {
  return (projectionOf(volume)?.sources ?? []).some(({ secret, serviceAccountToken }) => secret !== undefined || serviceAccountToken !== undefined);
}

/** A configMap, secret or downwardAPI volume is a projected one with one source. */
function projectionOf({ configMap, secret, downwardAPI, projected }: Volume): ProjectedVolumeSource | undefined {
  if (projected !== undefined) return projected;
  const source: VolumeProjection | undefined =
    configMap !== undefined
      ? { configMap }
      : secret !== undefined
        ? { secret: { ...secret, name: secret.secretName ?? "" } }
        : downwardAPI !== undefined
          ? { downwardAPI }
          : undefined;
  const defaultMode = (configMap ?? secret ?? downwardAPI)?.defaultMode;
  return source === undefined ? undefined : { sources: [source], ...(defaultMode === undefined ? {} : { defaultMode }) };
}

async function filesOf(source: VolumeProjection, mode: number, context: PayloadContext): Promise<MadePayload> {
  const { serviceAccountToken, downwardAPI, configMap, secret } = source;
  if (serviceAccountToken !== undefined) {
    const { token, refreshAt } = await context.tokens.request(context.pod, serviceAccountToken);
    // As upstream: others may not read it unless the pod says so.
    return { files: new Map([[serviceAccountToken.path, { content: Buffer.from(token), mode }]]), refreshAt };
  }
  if (downwardAPI !== undefined) return { files: new Map((downwardAPI.items ?? []).map((item) => [item.path, downwardFile(item, mode, context)])) };
  const reference = referenceOf(source);
  if (reference === undefined) throw new ConfigError(`this node cannot project ${Object.keys(source).join(", ")}`);
  const namespace = context.pod.metadata.namespace ?? "";
  const content = await context.references.read(namespace, reference);
  const items = (configMap ?? secret)?.items;
  if (content === undefined) return { files: new Map() };
  if (items === undefined || items.length === 0) return { files: new Map([...content].map(([key, bytes]) => [key, { content: bytes, mode }])) };
  return { files: new Map(items.flatMap((item) => chosenFile(item, content.get(item.key), mode, reference, namespace))) };
}

function chosenFile(
  { key, path, mode }: KeyToPath,
  content: Buffer | undefined,
  defaultMode: number,
  reference: Reference,
  namespace: string,
): [string, PayloadFile][] {
  if (content !== undefined) return [[path, { content, mode: mode ?? defaultMode }]];
  if (reference.isOptional) return [];
  throw new ConfigError(`references non-existent ${reference.kind === "Secret" ? "secret" : "config"} key: ${key} in ${namespace}/${reference.name}`);
}

function downwardFile({ fieldRef, resourceFieldRef, mode }: DownwardAPIVolumeFile, defaultMode: number, context: PayloadContext): PayloadFile {
  const all = [...context.pod.spec.containers, ...(context.pod.spec.initContainers ?? [])];
  const value =
    fieldRef !== undefined
      ? fieldValue(fieldRef, context)
      : resourceFieldRef !== undefined
        ? resourceValue(
            resourceFieldRef,
            all.find(({ name }) => name === resourceFieldRef.containerName),
            context,
          )
        : "";
  return { content: Buffer.from(value), mode: mode ?? defaultMode };
}

function referenceOf({ configMap, secret }: VolumeProjection): Reference | undefined {
  if (configMap !== undefined) return { kind: "ConfigMap", name: configMap.name ?? "", isOptional: configMap.optional === true };
  if (secret !== undefined) return { kind: "Secret", name: secret.name ?? "", isOptional: secret.optional === true };
  return undefined;
}
