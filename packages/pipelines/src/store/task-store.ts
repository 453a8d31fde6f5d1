import { ApiError } from "@sluice/kubernetes";
import type { TaskRecord, TaskReport } from "../engine/types.ts";
import { existingRun } from "./change.ts";
import type { Page, PageQuery } from "./page.ts";
import { selectPage } from "./select-page.ts";
import type { PipelinesDatabase } from "./tables.ts";

/** The tasks of runs, and what their agents reported. */
export class TaskStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** The tasks of a run, as they are. */
  async ofRun(runId: string): Promise<TaskRecord[]> {
    const rows = await this.#database.read
      .selectFrom("pipelines_tasks")
      .select("record")
      .where("run_id", "=", runId)
      .orderBy("created_at")
      .orderBy("id")
      .execute();
    return rows.map(({ record }) => JSON.parse(record) as TaskRecord);
  }

  async find(runId: string, id: string): Promise<TaskRecord | undefined> {
    const row = await this.#database.read
      .selectFrom("pipelines_tasks")
      .select("record")
      .where("id", "=", id)
      .where("run_id", "=", runId)
      .executeTakeFirst();
    return row === undefined ? undefined : (JSON.parse(row.record) as TaskRecord);
  }

  async list(query: PageQuery): Promise<Page<TaskRecord>> {
    const page = await selectPage<{ id: string; record: string }>(this.#database, "pipelines_tasks", query);
    return { ...page, rows: page.rows.map(({ record }) => JSON.parse(record) as TaskRecord) };
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
