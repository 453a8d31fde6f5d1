import { ApiError } from "@sluice/kubernetes";
import type { TaskRecord, TaskReport } from "../engine/types.ts";
import { chunks, existingRun, insertLinks } from "./change.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { ArtifactTaskRow, PipelinesDatabase, TaskRow } from "./tables.ts";

/** As much of a task as its parent tells of it. */
export type ChildRow = Pick<TaskRow, "id" | "name" | "parent_id">;

/** The tasks of runs, and what their agents reported. */
export class TaskStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** The engine's tasks of a run, as they are. */
  async ofRun(runId: string): Promise<TaskRecord[]> {
    const rows = await this.#database.read
      .selectFrom("pipelines_tasks")
      .select("record")
      .where("run_id", "=", runId)
      .where("is_foreign", "=", 0)
      .orderBy("created_at")
      .orderBy("id")
      .execute();
    return rows.map(({ record }) => JSON.parse(record) as TaskRecord);
  }

  /** One of the engine's tasks. */
  async find(runId: string, id: string): Promise<TaskRecord | undefined> {
    const row = await this.findRow(id);
    return row === undefined || row.run_id !== runId || row.is_foreign !== 0 ? undefined : (JSON.parse(row.record) as TaskRecord);
  }

  /** The engine's task that has, or last had, the pod of that name. */
  async findByPod(runId: string, podName: string): Promise<TaskRecord | undefined> {
    const rows = this.#database.read.selectFrom("pipelines_tasks").select("record").where("run_id", "=", runId).where("is_foreign", "=", 0);
    const row = await rows.where("pod_name", "=", podName).executeTakeFirst();
    return row === undefined ? undefined : (JSON.parse(row.record) as TaskRecord);
  }

  /** A task of any run, whoever made it. */
  async findRow(id: string): Promise<TaskRow | undefined> {
    return this.#database.read.selectFrom("pipelines_tasks").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** The last task that a client made and that succeeded with that fingerprint. */
  async findForeign(namespace: string, fingerprint: string): Promise<TaskRow | undefined> {
    return this.#database.read
      .selectFrom("pipelines_tasks")
      .innerJoin("pipelines_runs", "pipelines_runs.id", "pipelines_tasks.run_id")
      .selectAll("pipelines_tasks")
      .where("pipelines_runs.namespace", "=", namespace)
      .where("pipelines_tasks.is_foreign", "=", 1)
      .where("pipelines_tasks.fingerprint", "=", fingerprint)
      .where("pipelines_tasks.state", "=", "SUCCEEDED")
      .orderBy("pipelines_tasks.created_at", "desc")
      .limit(1)
      .executeTakeFirst();
  }

  /** Those tasks that are there, in no order. */
  async rows(ids: readonly string[]): Promise<TaskRow[]> {
    const found: TaskRow[] = [];
    for (const some of chunks([...new Set(ids)])) {
      found.push(
        ...(await this.#database.read
          .selectFrom("pipelines_tasks")
          .selectAll()
          .where("id", "in", [...some])
          .execute()),
      );
    }
    return found;
  }

  /** All tasks of a run, whoever made them. */
  async rowsOfRun(runId: string): Promise<TaskRow[]> {
    return this.#database.read.selectFrom("pipelines_tasks").selectAll().where("run_id", "=", runId).orderBy("created_at").orderBy("id").execute();
  }

  list(query: PageQuery): Promise<Page<TaskRow>> {
    return selectPage<TaskRow>(this.#database, "pipelines_tasks", query);
  }

  /** What these tasks of a run contain. */
  async children(runId: string, parents: readonly string[]): Promise<ChildRow[]> {
    const found: ChildRow[] = [];
    for (const some of chunks(parents)) {
      const rows = this.#database.read.selectFrom("pipelines_tasks").select(["id", "name", "parent_id"]).where("run_id", "=", runId);
      found.push(
        ...(await rows
          .where("parent_id", "in", [...some])
          .orderBy("created_at")
          .orderBy("id")
          .execute()),
      );
    }
    return found;
  }

  /** How many tasks of runs that go on are in each state. */
  async countOpen(): Promise<readonly { readonly state: string; readonly count: number }[]> {
    const { read } = this.#database;
    const runs = read.selectFrom("pipelines_runs").select("id").where("state", "in", ["PENDING", "RUNNING", "CANCELING"]);
    return read
      .selectFrom("pipelines_tasks")
      .select(["state", ({ fn }) => fn.countAll<number>().as("count")])
      .where("run_id", "in", runs)
      .groupBy("state")
      .execute();
  }

  /** Stores a task that a client made, or has changed, in a run that must exist. */
  async putForeign(row: TaskRow): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await existingRun(transaction, row.run_id);
      const { id: _id, run_id: _run, created_at: _created, ...change } = row;
      const insert = transaction.insertInto("pipelines_tasks").values(row);
      await insert.onConflict((conflict) => conflict.column("id").doUpdateSet(change).where("pipelines_tasks.is_foreign", "=", 1)).execute();
    });
  }

  /** Changes tasks that a client made, all or none, each by what it is at that moment. */
  async changeForeign(runId: string, ids: readonly string[], change: (row: TaskRow) => TaskRow): Promise<TaskRow[]> {
    return this.#database.transaction(async (transaction) => {
      const changed: TaskRow[] = [];
      for (const id of ids) {
        const found = transaction.selectFrom("pipelines_tasks").selectAll().where("id", "=", id).where("run_id", "=", runId);
        const row = await found.executeTakeFirst();
        if (row === undefined) throw new ApiError("NotFound", `task ${id} not found`);
        const { id: _id, ...next } = change(row);
        await transaction.updateTable("pipelines_tasks").set(next).where("id", "=", id).execute();
        changed.push({ id, ...next });
      }
      return changed;
    });
  }

  /** Stores what tasks got or gave; what is there already stays. */
  async link(links: readonly ArtifactTaskRow[]): Promise<void> {
    await this.#database.transaction((transaction) => insertLinks(transaction, links));
  }

  listLinks(query: PageQuery): Promise<Page<ArtifactTaskRow>> {
    return selectPage<ArtifactTaskRow>(this.#database, "pipelines_artifact_tasks", query);
  }

  /** What clients said that tasks of theirs got or gave. */
  async linksOf(runId: string, taskIds: readonly string[]): Promise<ArtifactTaskRow[]> {
    const found: ArtifactTaskRow[] = [];
    for (const some of chunks(taskIds)) {
      const rows = this.#database.read.selectFrom("pipelines_artifact_tasks").selectAll().where("run_id", "=", runId);
      found.push(
        ...(await rows
          .where("task_id", "in", [...some])
          .orderBy("key")
          .orderBy("id")
          .execute()),
      );
    }
    return found;
  }

  /** Stores what a pod's agent found; a second report of the same attempt replaces the first, and a run that has ended needs none. */
  async putReport(report: TaskReport, namespace: string): Promise<void> {
    const row = { task_id: report.taskId, attempt: report.attempt, run_id: report.runId, report: JSON.stringify(report) };
    await this.#database.transaction(async (transaction) => {
      const { finished_at: finishedAt, namespace: own } = await existingRun(transaction, report.runId);
      if (own !== namespace) throw new ApiError("Forbidden", `run ${report.runId} has no pods in the namespace ${JSON.stringify(namespace)}`);
      if (finishedAt !== 0) return;
      const insert = transaction.insertInto("pipelines_reports").values(row);
      await insert.onConflict((conflict) => conflict.columns(["task_id", "attempt"]).doUpdateSet({ report: row.report })).execute();
    });
  }

  async reportsOf(runId: string): Promise<TaskReport[]> {
    const rows = await this.#database.read.selectFrom("pipelines_reports").select("report").where("run_id", "=", runId).execute();
    return rows.map(({ report }) => JSON.parse(report) as TaskReport);
  }
}
