import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, JsonValue, PipelineSpec } from "../domain/ir.ts";
import { logArtifacts } from "../engine/log-artifact.ts";
import { withDefaults } from "../engine/parameter-type.ts";
import { componentOf } from "../engine/plan.ts";
import { ProvenanceReader, type Lineage, type Provenance } from "../engine/provenance.ts";
import { hasEnded, type ArtifactRecord, type TaskRecord, type TaskValues } from "../engine/types.ts";
import { homeOfRow } from "../runner/run-record.ts";
import type { ChildRow } from "../store/task-store.ts";
import type { RunListRow } from "../store/tables.ts";
import { artifactJson } from "./artifact-json.ts";
import { sha256 } from "./sha256.ts";
import { compact, defined, timestamp } from "./wire.ts";

/** A task's record in KFP's words, as far as it tells by itself: without where its values come from, and what is in it. */
export function taskJson(task: TaskRecord, run: RunListRow): JsonObject {
  return present(task, run);
}

/** A task in KFP's words, among those that contain it and those that it contains. */
export function kinTaskJson(
  lineage: Lineage & { readonly task: TaskRecord },
  run: RunListRow,
  kin: { readonly spec: PipelineSpec; readonly reader: ProvenanceReader; readonly children: readonly ChildRow[] },
): JsonObject {
  const { task } = lineage;
  const { spec, reader, children } = kin;
  // A task is stored as its graph gave it; what its container sees has its component's defaults, too.
  const inputs =
    task.kind === "RUNTIME" ? { ...task.inputs, parameters: withDefaults(componentOf(spec, task.component), task.inputs.parameters) } : task.inputs;
  return present({ ...task, inputs }, run, {
    inputs: { parameter: (key) => reader.inputParameter(lineage, key), artifact: (key) => reader.inputArtifact(lineage, key) },
    outputs: { parameter: (key) => reader.outputParameter(lineage, key), artifact: (key) => reader.outputArtifact(lineage, key) },
    children,
  });
}

interface Side {
  parameter(key: string): Provenance;
  artifact(key: string): Provenance;
}

interface Kin {
  readonly inputs: Side;
  readonly outputs: Side;
  readonly children: readonly ChildRow[];
}

function present(task: TaskRecord, run: RunListRow, kin?: Kin): JsonObject {
  const values = ({ parameters, artifacts }: TaskValues, side: Side | undefined): JsonObject =>
    compact({
      parameters: Object.entries(parameters).map(([key, value]) => ({ parameter_key: key, value, ...provenanceJson(side?.parameter(key)) })),
      artifacts: Object.entries(artifacts).map(([key, list]) => ({
        artifact_key: key,
        artifacts: list.map((artifact) => artifactJson(artifact, { namespace: run.namespace, createdAt: task.endedAt })),
        ...provenanceJson(side?.artifact(key)),
      })),
    });
  const logs = Object.fromEntries([...logArtifacts(homeOfRow(run), task, sha256)].map(([key, log]): [string, ArtifactRecord[]] => [key, [log]]));
  const outputs: TaskValues = { ...task.outputs, artifacts: { ...task.outputs.artifacts, ...logs } };
  return compact({
    ...{ task_id: task.id, run_id: task.runId, name: task.name, display_name: task.displayName, scope_path: task.path, type: task.kind },
    ...{ state: task.state, parent_task_id: task.parentId, cache_fingerprint: task.fingerprint },
    ...{ create_time: timestamp(task.createdAt), start_time: timestamp(task.startedAt), end_time: timestamp(task.endedAt) },
    status_metadata: compact({ message: task.message, why: task.why === undefined ? undefined : snakeCase(task.why) }),
    state_history: historyOf(task),
    type_attributes: defined({ iteration_index: int64(task.iteration), iteration_count: int64(task.iterationCount) }),
    pods: task.podName === undefined ? [] : [{ name: task.podName, type: "EXECUTOR" }],
    ...{ inputs: values(task.inputs, kin?.inputs), outputs: values(outputs, kin?.outputs), cached_from: task.cachedFrom },
    child_tasks: (kin?.children ?? []).map(({ id, name }) => ({ task_id: id, name })),
    retry_at: hasEnded(task.state) ? undefined : timestamp(task.retryAt),
    ...{ attempt: task.attempt },
  });
}

function int64(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function provenanceJson(provenance: Provenance | undefined): JsonObject {
  if (provenance === undefined) return {};
  const { type, producer } = provenance;
  const from = producer === undefined ? undefined : defined({ task_name: producer.name, iteration: int64(producer.iteration) });
  return compact({ type, producer: from });
}

/** The states that a task is known to have gone through. */
function historyOf({ state, message, createdAt, startedAt, endedAt }: TaskRecord): JsonValue[] {
  const error = state === "FAILED" ? { code: 2, message: message ?? "the task failed" } : undefined;
  const entry = (time: number | undefined, at: string, failure?: JsonObject): JsonObject[] =>
    time === undefined ? [] : [compact({ update_time: timestamp(time), state: at, error: failure })];
  return [...entry(createdAt, "PENDING"), ...entry(startedAt, "RUNNING"), ...entry(endedAt, state, error)];
}

/** A record with its fields named as the API names them. */
function snakeCase(record: object): JsonObject {
  const fields = Object.entries(record) as [string, JsonValue][];
  const name = (key: string): string => key.replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
  // The names of values are not ours.
  return Object.fromEntries(fields.map(([key, value]) => [name(key), key !== "values" && isJsonObject(value) ? snakeCase(value) : value]));
}
