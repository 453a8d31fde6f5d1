import { ApiError } from "@sluice/kubernetes";
import { sql } from "kysely";
import type { CachedResult, TaskRecord, TaskReport, TaskValues } from "./engine/types.ts";
import { chunks, existingRun, insertOutbox, upsertTasks, type RunChange } from "./store-change.ts";
import { afterCondition, filterCondition, pageOf, type Page, type PageQuery, type Predicate } from "./store-page.ts";
import type {
  ArtifactRow,
  ExperimentRow,
  OutboxRow,
  PipelineRow,
  PipelinesDatabase,
  PipelinesTables,
  PipelinesTransaction,
  RunRow,
  StorageState,
  VersionRow,
} from "./store-tables.ts";

/** Everything that the component keeps. */
export class Store {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  // Experiments

  async createExperiment(row: ExperimentRow): Promise<void> {
    await this.#insertNamed(
      "experiment",
      row.name,
      (t) => t.insertInto("pipelines_experiments").values(row).execute(),
      async (t) => {
        const { namespace, name } = row;
        return (
          (await t
            .selectFrom("pipelines_experiments")
            .select("id")
            .where("namespace", "=", namespace)
            .where("name", "=", name)
            .executeTakeFirst()) !== undefined
        );
      },
    );
  }

  async findExperiment(id: string): Promise<ExperimentRow | undefined> {
    return this.#database.read.selectFrom("pipelines_experiments").selectAll().where("id", "=", id).executeTakeFirst();
  }

  listExperiments(query: PageQuery): Promise<Page<ExperimentRow>> {
    return this.#page<ExperimentRow>("pipelines_experiments", query);
  }

  /** Shelves an experiment; what it holds goes with it when it is archived. */
  async shelveExperiment(id: string, state: StorageState): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await transaction.updateTable("pipelines_experiments").set({ storage_state: state }).where("id", "=", id).execute();
      if (state === "AVAILABLE") return;
      await transaction.updateTable("pipelines_runs").set({ storage_state: state }).where("experiment_id", "=", id).execute();
    });
  }

  /** Deletes an experiment; its runs stay, as upstream's do. */
  async deleteExperiment(id: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_experiments").where("id", "=", id).execute());
  }

  // Pipelines and their versions

  /** Stores a pipeline, and its first version with it. */
  async createPipeline(row: PipelineRow, version?: VersionRow): Promise<void> {
    const insert = async (transaction: PipelinesTransaction): Promise<void> => {
      await transaction.insertInto("pipelines_pipelines").values(row).execute();
      if (version !== undefined) await transaction.insertInto("pipelines_versions").values(version).execute();
    };
    await this.#insertNamed("pipeline", row.name, insert, async (t) => {
      const { namespace, name } = row;
      return (
        (await t.selectFrom("pipelines_pipelines").select("id").where("namespace", "=", namespace).where("name", "=", name).executeTakeFirst()) !==
        undefined
      );
    });
  }

  async findPipeline(id: string): Promise<PipelineRow | undefined> {
    return this.#database.read.selectFrom("pipelines_pipelines").selectAll().where("id", "=", id).executeTakeFirst();
  }

  async findPipelineByName(namespace: string, name: string): Promise<PipelineRow | undefined> {
    return this.#database.read
      .selectFrom("pipelines_pipelines")
      .selectAll()
      .where("namespace", "=", namespace)
      .where("name", "=", name)
      .executeTakeFirst();
  }

  listPipelines(query: PageQuery): Promise<Page<PipelineRow>> {
    return this.#page<PipelineRow>("pipelines_pipelines", query);
  }

  async updatePipeline(id: string, change: Partial<Pick<PipelineRow, "display_name" | "description" | "tags">>): Promise<void> {
    if (Object.keys(change).length === 0) return;
    await this.#database.transaction((transaction) => transaction.updateTable("pipelines_pipelines").set(change).where("id", "=", id).execute());
  }

  /** Deletes a pipeline. One with versions is refused, unless they go too. */
  async deletePipeline(id: string, { cascade }: { readonly cascade: boolean }): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      if (cascade) await transaction.deleteFrom("pipelines_versions").where("pipeline_id", "=", id).execute();
      else if ((await transaction.selectFrom("pipelines_versions").select("id").where("pipeline_id", "=", id).executeTakeFirst()) !== undefined) {
        throw new ApiError("BadRequest", `pipeline ${id} has versions: delete them first, or delete it with cascade=true`);
      }
      await transaction.deleteFrom("pipelines_pipelines").where("id", "=", id).execute();
    });
  }

  async createVersion(row: VersionRow): Promise<void> {
    await this.#insertNamed(
      "pipeline version",
      row.name,
      (t) => t.insertInto("pipelines_versions").values(row).execute(),
      async (t) => {
        const { pipeline_id, name } = row;
        const pipeline = await t.selectFrom("pipelines_pipelines").select("id").where("id", "=", pipeline_id).executeTakeFirst();
        if (pipeline === undefined) throw new ApiError("NotFound", `pipeline ${pipeline_id} not found`);
        return (
          (await t
            .selectFrom("pipelines_versions")
            .select("id")
            .where("pipeline_id", "=", pipeline_id)
            .where("name", "=", name)
            .executeTakeFirst()) !== undefined
        );
      },
    );
  }

  async findVersion(pipelineId: string | undefined, id: string): Promise<VersionRow | undefined> {
    const query = this.#database.read.selectFrom("pipelines_versions").selectAll().where("id", "=", id);
    return (pipelineId === undefined ? query : query.where("pipeline_id", "=", pipelineId)).executeTakeFirst();
  }

  async findLatestVersion(pipelineId: string): Promise<VersionRow | undefined> {
    const query = this.#database.read.selectFrom("pipelines_versions").selectAll().where("pipeline_id", "=", pipelineId);
    return query.orderBy("created_at", "desc").orderBy("id", "desc").limit(1).executeTakeFirst();
  }

  listVersions(query: PageQuery): Promise<Page<VersionRow>> {
    return this.#page<VersionRow>("pipelines_versions", query);
  }

  async updateVersion(id: string, change: Partial<Pick<VersionRow, "display_name" | "description" | "tags">>): Promise<void> {
    if (Object.keys(change).length === 0) return;
    await this.#database.transaction((transaction) => transaction.updateTable("pipelines_versions").set(change).where("id", "=", id).execute());
  }

  async deleteVersion(id: string): Promise<void> {
    await this.#database.transaction((transaction) => transaction.deleteFrom("pipelines_versions").where("id", "=", id).execute());
  }

  // Runs

  /** Stores a run in its experiment, or else in the one that is called like `fallback`, which is made if there is none. Gives it as it is stored. */
  async createRun(row: RunRow, fallback?: ExperimentRow): Promise<RunRow> {
    return this.#database.transaction(async (transaction) => {
      const experiments = transaction.selectFrom("pipelines_experiments").selectAll();
      let experiment = await (
        fallback === undefined
          ? experiments.where("id", "=", row.experiment_id)
          : experiments.where("namespace", "=", fallback.namespace).where("name", "=", fallback.name)
      ).executeTakeFirst();
      if (experiment === undefined) {
        if (fallback === undefined) throw new ApiError("NotFound", `experiment ${row.experiment_id} not found`);
        experiment = fallback;
        await transaction.insertInto("pipelines_experiments").values(experiment).execute();
      }
      const { id, name } = experiment;
      if (experiment.storage_state === "ARCHIVED") {
        throw new ApiError("BadRequest", `experiment_id: experiment ${JSON.stringify(name)} is archived: unarchive it, or name another`);
      }
      const stored = { ...row, experiment_id: id };
      await transaction.insertInto("pipelines_runs").values(stored).execute();
      await transaction.updateTable("pipelines_experiments").where("id", "=", id).set({ last_run_at: row.created_at }).execute();
      return stored;
    });
  }

  async findRun(id: string): Promise<RunRow | undefined> {
    return this.#database.read.selectFrom("pipelines_runs").selectAll().where("id", "=", id).executeTakeFirst();
  }

  listRuns(query: PageQuery): Promise<Page<RunRow>> {
    return this.#page<RunRow>("pipelines_runs", query);
  }

  /** Runs that have not ended. */
  async unfinishedRuns(): Promise<RunRow[]> {
    return this.#database.read.selectFrom("pipelines_runs").selectAll().where("state", "in", ["PENDING", "RUNNING", "CANCELING"]).execute();
  }

  /** Shelves a run. None comes back while its experiment is archived. */
  async shelveRun(id: string, state: StorageState): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      const runs = transaction.selectFrom("pipelines_runs as run").where("run.id", "=", id);
      const experiment = await runs
        .innerJoin("pipelines_experiments as experiment", "experiment.id", "run.experiment_id")
        .select(["experiment.name", "experiment.storage_state"])
        .executeTakeFirst();
      if (state === "AVAILABLE" && experiment?.storage_state === "ARCHIVED") {
        throw new ApiError(
          "BadRequest",
          `run ${id} belongs to experiment ${JSON.stringify(experiment.name)}, which is archived: unarchive the experiment first`,
        );
      }
      await transaction.updateTable("pipelines_runs").set({ storage_state: state }).where("id", "=", id).execute();
    });
  }

  /** Deletes all that belongs to a run, leaving word of what is to be deleted in the cluster; cached results stay. */
  async deleteRun(id: string, rest: readonly OutboxRow[]): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      for (const table of ["pipelines_tasks", "pipelines_artifacts", "pipelines_reports", "pipelines_outbox"] as const) {
        await transaction.deleteFrom(table).where("run_id", "=", id).execute();
      }
      await transaction.deleteFrom("pipelines_runs").where("id", "=", id).execute();
      await insertOutbox(transaction, rest);
    });
  }

  // What happens in a run

  /** The tasks of a run, as they are. */
  async tasksOf(runId: string): Promise<TaskRecord[]> {
    const rows = await this.#database.read
      .selectFrom("pipelines_tasks")
      .select("record")
      .where("run_id", "=", runId)
      .orderBy("created_at")
      .orderBy("id")
      .execute();
    return rows.map(({ record }) => JSON.parse(record) as TaskRecord);
  }

  async findTask(runId: string, id: string): Promise<TaskRecord | undefined> {
    const row = await this.#database.read
      .selectFrom("pipelines_tasks")
      .select("record")
      .where("id", "=", id)
      .where("run_id", "=", runId)
      .executeTakeFirst();
    return row === undefined ? undefined : (JSON.parse(row.record) as TaskRecord);
  }

  async listTasks(query: PageQuery): Promise<Page<TaskRecord>> {
    const page = await this.#page<{ id: string; record: string }>("pipelines_tasks", query);
    return { ...page, rows: page.rows.map(({ record }) => JSON.parse(record) as TaskRecord) };
  }

  /** Stores what a pod's agent found; a second report of the same attempt replaces the first, and a run that has ended needs none. */
  async putReport(report: TaskReport): Promise<void> {
    const row = { task_id: report.taskId, attempt: report.attempt, run_id: report.runId, report: JSON.stringify(report) };
    await this.#database.transaction(async (transaction) => {
      const { finished_at: finishedAt } = await existingRun(transaction, report.runId);
      if (finishedAt !== 0) return;
      const insert = transaction.insertInto("pipelines_reports").values(row);
      await insert.onConflict((conflict) => conflict.columns(["task_id", "attempt"]).doUpdateSet({ report: row.report })).execute();
    });
  }

  async reportsOf(runId: string): Promise<TaskReport[]> {
    const rows = await this.#database.read.selectFrom("pipelines_reports").select("report").where("run_id", "=", runId).execute();
    return rows.map(({ report }) => JSON.parse(report) as TaskReport);
  }

  /** The results that the cache has for these fingerprints. */
  async cached(namespace: string, pipeline: string, fingerprints: readonly string[]): Promise<Map<string, CachedResult>> {
    const hits = new Map<string, CachedResult>();
    for (const some of chunks([...new Set(fingerprints)])) {
      const query = this.#database.read.selectFrom("pipelines_cache").select(["fingerprint", "task_id", "outputs"]);
      const rows = await query
        .where("namespace", "=", namespace)
        .where("pipeline", "=", pipeline)
        .where("fingerprint", "in", [...some])
        .execute();
      for (const row of rows) hits.set(row.fingerprint, { taskId: row.task_id, outputs: JSON.parse(row.outputs) as TaskValues });
    }
    return hits;
  }

  /** Writes what a batch of events changed, all or nothing; resolves once it is on disk. NotFound if the run is gone. */
  async commit(change: RunChange): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      await existingRun(transaction, change.run.id);
      await upsertTasks(transaction, change);
      await insertOutbox(transaction, change.outbox);
      for (const some of chunks(change.done))
        await transaction
          .deleteFrom("pipelines_outbox")
          .where("id", "in", [...some])
          .execute();
      if (change.progress === undefined) return;
      const { value, history } = change.progress;
      const set = { state: value.phase, progress: JSON.stringify(value), history: JSON.stringify(history), finished_at: value.endedAt ?? 0 };
      await transaction.updateTable("pipelines_runs").set(set).where("id", "=", change.run.id).execute();
      // Only an unfinished task needs what its agent said.
      if (value.endedAt !== undefined) await transaction.deleteFrom("pipelines_reports").where("run_id", "=", change.run.id).execute();
    });
  }

  async outbox(): Promise<OutboxRow[]> {
    return this.#database.read.selectFrom("pipelines_outbox").selectAll().execute();
  }

  async removeFromOutbox(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.#database.transaction(async (transaction) => {
      for (const some of chunks(ids))
        await transaction
          .deleteFrom("pipelines_outbox")
          .where("id", "in", [...some])
          .execute();
    });
  }

  // Artifacts

  async findArtifact(id: string): Promise<ArtifactRow | undefined> {
    return this.#database.read.selectFrom("pipelines_artifacts").selectAll().where("id", "=", id).executeTakeFirst();
  }

  listArtifacts(query: PageQuery): Promise<Page<ArtifactRow>> {
    return this.#page<ArtifactRow>("pipelines_artifacts", query);
  }

  /** One page and the number of all rows, in one query. */
  async #page<Row extends { readonly id: string }>(table: keyof PipelinesTables, query: PageQuery): Promise<Page<Row>> {
    const where = filterCondition(query.predicates);
    const direction = sql.raw(query.isDescending ? "desc" : "asc");
    const { rows } = await sql<Row & { page_total: number }>`
      select *, (select count(*) from ${sql.table(table)} where ${where}) as page_total
      from ${sql.table(table)} where ${where} and ${afterCondition(query)}
      order by ${sql.ref(query.sortColumn)} ${direction}, ${sql.ref("id")} ${direction} limit ${query.pageSize + 1}`.execute(this.#database.read);
    const [first] = rows;
    if (first !== undefined) return pageOf<Row>(rows, Number(first.page_total), query);
    // No row is left to tell the total, as happens when the last ones went since the page before.
    const count = sql<{ total: number }>`select count(*) as total from ${sql.table(table)} where ${where}`;
    const total = query.after === undefined ? 0 : Number((await count.execute(this.#database.read)).rows[0]?.total ?? 0);
    return { rows: [], total };
  }

  async #insertNamed(
    kind: string,
    name: string,
    insert: (transaction: PipelinesTransaction) => Promise<unknown>,
    exists: (transaction: PipelinesTransaction) => Promise<boolean>,
  ): Promise<void> {
    await this.#database.transaction(async (transaction) => {
      if (await exists(transaction)) throw new ApiError("AlreadyExists", `${kind} ${JSON.stringify(name)} already exists`);
      await insert(transaction);
    });
  }
}

/** The condition that a column has a value. */
export function equals(column: string, value: string): Predicate {
  return { column, operation: "EQUALS", values: [value] };
}
