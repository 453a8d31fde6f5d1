import type { Client } from "@sluice/client";
import type { Logger } from "@sluice/controller";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import { ATTEMPT_LABEL, RUN_LABEL, TASK_LABEL, type ArtifactRecord, type EngineContext } from "../engine/index.ts";
import { logArtifact } from "../engine/log-artifact.ts";
import type { RunState } from "../engine/run-state.ts";
import type { Store } from "../store/store.ts";
import type { RunListRow } from "../store/tables.ts";
import { PODS, type ObservedPod } from "./kinds.ts";
import { isOver } from "./pod-outcome.ts";
import { homeOfRow } from "./run-record.ts";

/** How many pods are looked at together. */
const PAGE = 500;

/** The log of a task's attempt, which may not be kept yet; undefined if the run has no such task. */
export function logOf(
  { row, state }: { readonly row: RunListRow; readonly state: RunState },
  { taskId, attempt }: { readonly taskId: string; readonly attempt: number },
  { sha256 }: Pick<EngineContext, "sha256">,
): ArtifactRecord | undefined {
  const task = state.tasks.get(taskId);
  return task === undefined ? undefined : logArtifact(homeOfRow(row), task, attempt, sha256);
}

/** Where to look for logs, and where they should be. */
export interface MissingLogsOptions {
  readonly store: Store;
  readonly client: Client;
  readonly objects: ArtifactStores;
  readonly logger: Logger;
  readonly engine: EngineContext;
  readonly signal: AbortSignal;
}

/** Asks `keep` for the logs that a process which died has not kept, of pods that have ended and are still there. */
export async function missingLogs(
  options: MissingLogsOptions,
  keep: (pod: ObservedPod["metadata"], log: ArtifactRecord) => Promise<void>,
): Promise<void> {
  const { client, logger, signal } = options;
  const runs = new Map<string, Promise<RunListRow | undefined>>();
  try {
    for (let next: string | undefined, isFirst = true; isFirst || (next !== undefined && next !== ""); isFirst = false) {
      const page = await client.list(PODS, { labelSelector: RUN_LABEL, limit: PAGE, continue: next });
      for (const pod of page.items) {
        if (signal.aborted) return;
        if (isOver(pod)) await keepIfMissing(options, pod, runs, keep);
      }
      next = page.metadata.continue;
    }
  } catch (error) {
    if (!signal.aborted) logger.warn("cannot look for logs that are not kept yet", { error });
  }
}

async function keepIfMissing(
  { store, objects, engine }: MissingLogsOptions,
  pod: ObservedPod,
  runs: Map<string, Promise<RunListRow | undefined>>,
  keep: (pod: ObservedPod["metadata"], log: ArtifactRecord) => Promise<void>,
): Promise<void> {
  const { labels = {} } = pod.metadata;
  const [runId = "", taskId = "", attempt] = [labels[RUN_LABEL], labels[TASK_LABEL], Number(labels[ATTEMPT_LABEL])];
  const found = runs.get(runId) ?? store.runs.findOutline(runId);
  runs.set(runId, found);
  const [run, task] = [await found, await store.tasks.find(runId, taskId)];
  if (run === undefined || task === undefined || !Number.isInteger(attempt)) return;
  const log = logArtifact(homeOfRow(run), task, attempt, engine.sha256);
  if ((await objects.of(run.namespace, { query: log.store }).stat(log.uri)) === undefined) await keep(pod.metadata, log);
}
