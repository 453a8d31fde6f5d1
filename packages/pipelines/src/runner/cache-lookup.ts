import type { ObjectStore } from "@sluice/object-store";
import { createHash } from "node:crypto";
import type { ArtifactRecord, CachedResult, CacheMiss, Effect, TaskValues } from "../engine/index.ts";
import type { Store } from "../store/store.ts";
import type { ResultRow } from "../store/tables.ts";

/** What an installation may decide about shared results. */
export interface CacheSettings {
  /** Whose results a task may share: those of its own pipeline, by name, unless it is to be all of its namespace. */
  readonly scope?: "pipeline" | "namespace" | undefined;
  /** What is looked at before a result is shared: whether its artifacts are there, unless it is also to be whether they are the same. */
  readonly check?: "existence" | "digest" | undefined;
}

/** What the cache says to one task. */
export type CacheAnswer = { readonly hit: CachedResult } | { readonly miss: CacheMiss };

type Lookup = Extract<Effect, { readonly type: "lookupCache" }>;

/** What the cache says to each of some tasks; one query for all of them. */
export async function lookUp(
  lookups: readonly Lookup[],
  scope: { readonly namespace: string; readonly pipeline: string },
  options: { readonly store: Store; readonly objects: ObjectStore; readonly now: number; readonly settings: CacheSettings },
): Promise<ReadonlyMap<Lookup, CacheAnswer>> {
  const { store, objects, now, settings } = options;
  const where = settings.scope === "namespace" ? { namespace: scope.namespace } : scope;
  const rows = await store.cache.find(
    where,
    lookups.map(({ fingerprint }) => fingerprint),
  );
  const checks = new Map<ResultRow, Promise<CacheMiss | undefined>>();
  const check = (row: ResultRow, result: CachedResult): Promise<CacheMiss | undefined> => {
    const known = checks.get(row) ?? damageOf(result, objects, settings.check ?? "existence");
    checks.set(row, known);
    return known;
  };
  const answer = async (lookup: Lookup): Promise<CacheAnswer> => {
    const row = rows.get(lookup.fingerprint);
    const judged = judge(row, lookup, now);
    if ("miss" in judged || row === undefined) return judged;
    const miss = await check(row, judged.hit);
    return miss === undefined ? judged : { miss };
  };
  return new Map(await Promise.all(lookups.map(async (lookup) => [lookup, await answer(lookup)] as const)));
}

/** What a result's record alone says. */
function judge(row: ResultRow | undefined, { maxAgeMs }: Lookup, now: number): CacheAnswer {
  if (row === undefined) return { miss: { type: "none" } };
  const result = { runId: row.run_id, taskId: row.task_id, madeAt: row.made_at };
  if (row.invalidated_at !== 0) return { miss: { type: "invalidated", result, by: row.invalidated_by, at: row.invalidated_at } };
  if (maxAgeMs !== undefined && now - row.made_at > maxAgeMs) return { miss: { type: "expired", result, maxAgeMs } };
  return { hit: { ...result, outputs: JSON.parse(row.outputs) as TaskValues } };
}

/** What is wrong with a result's artifacts. One whose content was never stored here has none to lose. */
async function damageOf(
  { outputs, ...result }: CachedResult,
  objects: ObjectStore,
  check: NonNullable<CacheSettings["check"]>,
): Promise<CacheMiss | undefined> {
  const artifacts = Object.entries(outputs.artifacts).flatMap(([name, list]) => list.map((one) => [name, one] as const));
  for (const [artifact, record] of artifacts) {
    if (record.digest === undefined) continue;
    const digest = await (check === "digest" ? digestOf(record, objects) : presenceOf(record, objects));
    if (digest === undefined) return { type: "absent", result, artifact, uri: record.uri };
    if (digest !== record.digest) return { type: "altered", result, artifact, uri: record.uri };
  }
  return undefined;
}

/** The digest that an artifact is said to have, if anything is stored at its address. */
async function presenceOf({ uri, digest }: ArtifactRecord, objects: ObjectStore): Promise<string | undefined> {
  if ((await objects.stat(uri)) !== undefined) return digest;
  const first = await objects.list(uri)[Symbol.asyncIterator]().next();
  return first.done === true ? undefined : digest;
}

/** The digest of what is stored at an artifact's address, as the artifact agent makes it: of a file, or of a directory's files. */
async function digestOf({ uri }: ArtifactRecord, objects: ObjectStore): Promise<string | undefined> {
  const own = await objects.stat(uri);
  if (own !== undefined) return own.digest;
  const base = `${uri.replace(/\/+$/u, "")}/`;
  const files = (await Array.fromAsync(objects.list(uri))).map((file) => ({ path: file.uri.slice(base.length), digest: file.digest }));
  if (files.length === 0) return undefined;
  const hash = createHash("sha256");
  for (const { path, digest } of files.sort((a, b) => (a.path < b.path ? -1 : 1))) hash.update(`${path}\n${digest}\n`);
  return `sha256:${hash.digest("hex")}`;
}
