import { ApiError } from "@sluice/kubernetes";
import { hasSucceeded, type RunProgress, type TaskRecord } from "../engine/types.ts";
import type { ArtifactRow, ArtifactTaskRow, OutboxRow, PipelinesTransaction, ResultRow, RunRow, ShareRow, TaskRow } from "./tables.ts";

/** Rows per statement: well below the number of variables that any database takes. */
const CHUNK = 500;

/** One step of a run's state, as `RunRow.history` keeps it. */
export interface HistoryEntry {
  readonly time: number;
  readonly state: string;
  readonly message?: string;
}

/** What one batch of a run's events changed. */
export interface RunChange {
  readonly run: { readonly id: string; readonly namespace: string; readonly pipeline: string };
  readonly tasks: readonly TaskRecord[];
  readonly progress?: { readonly value: RunProgress; readonly history: readonly HistoryEntry[]; readonly podsDueAt: number };
  /** Its pipeline, if that has been replaced. */
  readonly spec?: string;
  readonly time: number;
  /** Which artifacts the tasks that ended got and gave, and the artifacts that were stored beside their outputs. */
  readonly links?: readonly ArtifactTaskRow[];
  readonly artifacts?: readonly ArtifactRow[];
  /** Effects to carry out, and those that have been. */
  readonly outbox: readonly OutboxRow[];
  readonly done: readonly string[];
}

/** The run that a change is of, which must exist. */
export async function existingRun(transaction: PipelinesTransaction, id: string): Promise<Pick<RunRow, "finished_at" | "namespace">> {
  const run = await transaction.selectFrom("pipelines_runs").select(["finished_at", "namespace"]).where("id", "=", id).executeTakeFirst();
  if (run === undefined) throw new ApiError("NotFound", `run ${id} does not exist`);
  return run;
}

/** The items, as many at a time as fit into a statement. */
export function* chunks<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK);
}

/** Leaves word of what is to be done. */
export async function insertOutbox(transaction: PipelinesTransaction, rows: readonly OutboxRow[]): Promise<void> {
  for (const some of chunks(rows)) {
    await transaction
      .insertInto("pipelines_outbox")
      .values([...some])
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** A task's row. */
function taskRow(runId: string, task: TaskRecord): TaskRow {
  const { parentId = "", fingerprint = "", podName = "", startedAt = 0, endedAt = 0 } = task;
  return {
    ...{ id: task.id, run_id: runId, created_at: task.createdAt, state: task.state, record: JSON.stringify(task) },
    ...{ name: task.name, display_name: task.displayName, kind: task.kind, parent_id: parentId, path: task.path, fingerprint },
    ...{ pod_name: podName, started_at: startedAt, ended_at: endedAt, is_foreign: 0 },
  };
}

/** Writes which tasks got and gave which artifacts. */
export async function insertLinks(transaction: PipelinesTransaction, links: readonly ArtifactTaskRow[]): Promise<void> {
  for (const some of chunks(links)) {
    const insert = transaction.insertInto("pipelines_artifact_tasks").values([...some]);
    // A task that failed and was tried again has used and made what it did last.
    await insert
      .onConflict((conflict) =>
        conflict.column("id").doUpdateSet(({ ref }) => ({ artifact_id: ref("excluded.artifact_id"), is_lineage: ref("excluded.is_lineage") })),
      )
      .execute();
  }
}

/** Writes artifacts' records; those that are there already stay. */
export async function insertArtifacts(transaction: PipelinesTransaction, artifacts: readonly ArtifactRow[]): Promise<void> {
  for (const some of chunks(artifacts)) {
    await transaction
      .insertInto("pipelines_artifacts")
      .values([...some])
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Writes tasks, and the artifacts and cached results of those that have succeeded. */
export async function upsertTasks(transaction: PipelinesTransaction, change: RunChange): Promise<void> {
  const { run, tasks, time, links = [], artifacts: stored = [] } = change;
  const { namespace, pipeline } = run;
  const rows = tasks.map((task) => taskRow(run.id, task));
  for (const some of chunks(rows)) {
    const insert = transaction.insertInto("pipelines_tasks").values([...some]);
    await insert
      .onConflict((conflict) =>
        conflict.column("id").doUpdateSet(({ ref }) => ({
          ...{ state: ref("excluded.state"), record: ref("excluded.record"), fingerprint: ref("excluded.fingerprint") },
          ...{ pod_name: ref("excluded.pod_name"), started_at: ref("excluded.started_at"), ended_at: ref("excluded.ended_at") },
        })),
      )
      .execute();
  }
  const made = tasks.filter(({ kind, state }) => state === "SUCCEEDED" && (kind === "RUNTIME" || kind === "IMPORTER"));
  const artifacts = made.flatMap((task) =>
    Object.values(task.outputs.artifacts).flatMap((list) =>
      list.map((artifact): ArtifactRow => ({
        ...{ id: artifact.id, run_id: run.id, task_id: task.id, namespace, name: artifact.name, uri: artifact.uri },
        ...{ type: artifact.type.schemaTitle ?? "system.Artifact", record: JSON.stringify(artifact), created_at: task.endedAt ?? time },
      })),
    ),
  );
  await insertArtifacts(transaction, [...artifacts, ...stored]);
  await insertLinks(transaction, links);
  const given = tasks.filter(({ kind, state }) => hasSucceeded(state) && (kind === "RUNTIME" || kind === "IMPORTER"));
  const shares = given.flatMap(({ id, outputs, cachedFrom = "" }) => {
    const uris = Object.values(outputs.artifacts).flatMap((list) => list.map(({ uri }) => uri));
    const foreign = new Set(uris.filter((uri) => !uri.includes(`/${run.id}/`)));
    return [...foreign].map((uri): ShareRow => ({ task_id: id, run_id: run.id, source_task_id: cachedFrom, uri }));
  });
  for (const some of chunks(shares)) {
    await transaction
      .replaceInto("pipelines_shares")
      .values([...some])
      .execute();
  }
  const results = made.flatMap(({ id, component, fingerprint, keyParts = {}, outputs, imageId = "" }): ResultRow[] => {
    if (fingerprint === undefined) return [];
    const whose = { task_id: id, run_id: run.id, namespace, pipeline, component, fingerprint };
    const what = { key_parts: JSON.stringify(keyParts), outputs: JSON.stringify(outputs), image_id: imageId, made_at: time };
    return [{ ...whose, ...what, invalidated_by: "", invalidated_at: 0 }];
  });
  for (const some of chunks(results)) {
    await transaction
      .replaceInto("pipelines_results")
      .values([...some])
      .execute();
  }
}
