import { isJsonObject } from "../domain/executor-input.ts";
import type { JsonObject, PipelineSpec } from "../domain/ir.ts";
import { ProvenanceReader, type Relative } from "../engine/provenance.ts";
import type { TaskRecord } from "../engine/types.ts";
import type { Store } from "../store/store.ts";
import type { ArtifactRow, ArtifactTaskRow, RunRow, TaskRow } from "../store/tables.ts";
import type { ChildRow } from "../store/task-store.ts";
import { artifactRowJson, producerJson } from "./artifact-json.ts";
import { kinTaskJson } from "./task-json.ts";
import { compact, timestamp } from "./wire.ts";

/** Puts tasks of one run into KFP's words: who made them, where their values come from, and what they contain. */
export class TaskPresenter {
  readonly #store: Store;
  readonly #run: RunRow;
  readonly #spec: PipelineSpec;
  readonly #reader: ProvenanceReader;

  constructor(store: Store, run: RunRow) {
    this.#store = store;
    this.#run = run;
    // It was read strictly when the run was made.
    const spec = JSON.parse(run.spec) as PipelineSpec & { readonly pipeline_spec?: PipelineSpec };
    this.#spec = spec.pipeline_spec ?? spec;
    this.#reader = new ProvenanceReader(this.#spec, JSON.parse(run.parameters) as JsonObject);
  }

  /** Some tasks of the run, in their order. */
  async present(rows: readonly TaskRow[]): Promise<JsonObject[]> {
    const ids = rows.map(({ id }) => id);
    const foreign = rows.filter(({ is_foreign }) => is_foreign !== 0).map(({ id }) => id);
    const links = foreign.length === 0 ? [] : await this.#store.tasks.linksOf(this.#run.id, foreign);
    const artifacts = links.length === 0 ? [] : await this.#store.artifacts.rows(links.map(({ artifact_id }) => artifact_id));
    const children = Map.groupBy(await this.#store.tasks.children(this.#run.id, ids), ({ parent_id }) => parent_id);
    const kin = await this.#relatives(rows);
    return rows.map((row) => {
      const own = children.get(row.id) ?? [];
      if (row.is_foreign !== 0) return foreignTaskJson(row, own, linked(row, links, artifacts));
      const task = JSON.parse(row.record) as TaskRecord;
      const parent = kin.get(row.parent_id);
      const lineage = { task, parent: parent?.record, grandparent: parent === undefined ? undefined : kin.get(parent.parentId)?.record };
      return kinTaskJson(lineage, this.#run, { spec: this.#spec, reader: this.#reader, children: own });
    });
  }

  /** The tasks that contain these, and those that contain them. */
  async #relatives(rows: readonly TaskRow[]): Promise<ReadonlyMap<string, { readonly record: Relative; readonly parentId: string }>> {
    const kin = new Map<string, { readonly record: Relative; readonly parentId: string }>();
    let wanted = rows;
    for (let generation = 0; generation < 2; generation++) {
      const missing = [...new Set(wanted.map(({ parent_id }) => parent_id))].filter((id) => id !== "" && !kin.has(id));
      wanted = missing.length === 0 ? [] : await this.#store.tasks.rows(missing);
      for (const { id, record, parent_id: parentId } of wanted) kin.set(id, { record: JSON.parse(record) as Relative, parentId });
    }
    return kin;
  }
}

interface Linked {
  readonly inputs: JsonObject[];
  readonly outputs: JsonObject[];
}

/** What a client linked to a task of its own. */
function linked(row: TaskRow, links: readonly ArtifactTaskRow[], artifacts: readonly ArtifactRow[]): Linked {
  const result: Linked = { inputs: [], outputs: [] };
  const own = links.filter(({ task_id }) => task_id === row.id);
  for (const [, group] of Map.groupBy(own, ({ key, type, producer, iteration }) => JSON.stringify([key, type, producer, iteration]))) {
    const [first] = group;
    if (first === undefined) continue;
    const side = first.type.endsWith("OUTPUT") ? result.outputs : result.inputs;
    side.push(
      compact({
        artifacts: group.flatMap(({ artifact_id }) => artifacts.filter(({ id }) => id === artifact_id).map(artifactRowJson)),
        ...{ type: first.type, artifact_key: first.key, producer: producerJson(first) },
      }),
    );
  }
  return result;
}

/** A task that a client made, as it said. */
function foreignTaskJson(row: TaskRow, children: readonly ChildRow[], { inputs, outputs }: Linked): JsonObject {
  const record = JSON.parse(row.record) as JsonObject;
  const side = (name: string, artifacts: JsonObject[]): JsonObject => compact({ ...(isJsonObject(record[name]) ? record[name] : {}), artifacts });
  return compact({
    ...record,
    ...{
      task_id: row.id,
      run_id: row.run_id,
      parent_task_id: row.parent_id,
      create_time: timestamp(row.created_at),
      end_time: timestamp(row.ended_at),
    },
    ...{ inputs: side("inputs", inputs), outputs: side("outputs", outputs) },
    child_tasks: children.map(({ id, name }) => ({ task_id: id, name })),
  });
}
