import { logArtifacts } from "../engine/log-artifact.ts";
import { ProvenanceReader, type Lineage, type Provenance } from "../engine/provenance.ts";
import type { RunState } from "../engine/run-state.ts";
import { hasEnded, type EngineContext, type TaskRecord, type TaskValues } from "../engine/types.ts";
import type { ArtifactRow, ArtifactTaskRow, RunListRow } from "../store/tables.ts";
import { homeOfRow } from "./run-record.ts";

/** What a batch says of artifacts beside the outputs that it stores. */
export interface ArtifactLinks {
  /** Which artifacts its tasks that ended got and gave. */
  readonly links: readonly ArtifactTaskRow[];
  /** The logs of their pods. */
  readonly artifacts: readonly ArtifactRow[];
}

/** What is to be known of artifacts once `tasks` are stored. */
export function artifactLinks(
  run: { readonly row: RunListRow; readonly state: RunState },
  tasks: readonly TaskRecord[],
  { sha256 }: Pick<EngineContext, "sha256">,
): ArtifactLinks {
  const { row, state } = run;
  const { namespace } = row;
  const links: ArtifactTaskRow[] = [];
  const artifacts: ArtifactRow[] = [];
  const reader = new ProvenanceReader(state.info.spec, state.info.parameters);
  for (const task of tasks) {
    if (!hasEnded(task.state)) continue;
    const lineage = lineageOf(state, task);
    const isLineage = hasWorked(task);
    links.push(...linksOf({ task, namespace, isLineage }, "INPUT", task.inputs, (key) => reader.inputArtifact(lineage, key)));
    links.push(...linksOf({ task, namespace, isLineage }, "OUTPUT", task.outputs, (key) => reader.outputArtifact(lineage, key)));
    const logs = logArtifacts(homeOfRow(row), task, sha256);
    if (logs.size === 0) continue;
    const outputs: TaskValues = { parameters: {}, artifacts: Object.fromEntries([...logs].map(([key, log]) => [key, [log]])) };
    links.push(...linksOf({ task, namespace, isLineage: false }, "OUTPUT", outputs, (key) => reader.outputArtifact(lineage, key)));
    for (const log of logs.values()) {
      artifacts.push({
        ...{ id: log.id, run_id: row.id, task_id: task.id, namespace: row.namespace, name: log.name, uri: log.uri },
        ...{ type: "system.Artifact", record: JSON.stringify(log), created_at: task.endedAt ?? task.createdAt },
      });
    }
  }
  return { links, artifacts };
}

function lineageOf(state: RunState, task: TaskRecord): Lineage {
  const parent = task.parentId === undefined ? undefined : state.tasks.get(task.parentId);
  return { task, parent, grandparent: parent?.parentId === undefined ? undefined : state.tasks.get(parent.parentId) };
}

/** Whether a task itself used and made artifacts: one that was skipped or never began did neither, and a graph only has tasks that did. */
function hasWorked({ kind, state, startedAt }: TaskRecord): boolean {
  return (kind === "RUNTIME" || kind === "IMPORTER") && (startedAt !== undefined || state === "CACHED");
}

function linksOf(
  { task, namespace, isLineage }: { readonly task: TaskRecord; readonly namespace: string; readonly isLineage: boolean },
  direction: ArtifactTaskRow["direction"],
  { artifacts }: TaskValues,
  provenance: (key: string) => Provenance,
): ArtifactTaskRow[] {
  return Object.entries(artifacts).flatMap(([key, list]) => {
    const { type, producer } = provenance(key);
    return list.map((artifact, position) => ({
      ...{ id: `${task.id}.${direction}.${position}.${key}`, artifact_id: artifact.id, run_id: task.runId, task_id: task.id, namespace },
      ...{ direction, type, key, position, is_lineage: isLineage ? 1 : 0 },
      ...{ producer: producer?.name ?? "", iteration: producer?.iteration ?? -1, created_at: task.endedAt ?? task.createdAt },
    }));
  });
}
