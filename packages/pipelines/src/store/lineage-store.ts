import { sql } from "kysely";
import type { ArtifactRow, ArtifactTaskRow, PipelinesDatabase } from "./tables.ts";
import { chunks } from "./change.ts";

/** What an artifact was made from, or what was made from it. */
type LineageDirection = "UPSTREAM" | "DOWNSTREAM";

/** One link on the way: `depth` counts the tasks between it and where the way began. */
export type LineageLink = Pick<ArtifactTaskRow, "artifact_id" | "task_id" | "run_id" | "direction" | "key" | "position"> & { readonly depth: number };

/** How far to look. */
export interface LineageLimits {
  readonly direction: LineageDirection;
  /** How many tasks away. */
  readonly depth: number;
  /** How many links at most. */
  readonly limit: number;
}

/** Which task used or made which artifact. */
export class LineageStore {
  readonly #database: PipelinesDatabase;

  constructor(database: PipelinesDatabase) {
    this.#database = database;
  }

  /** All links on the way from an artifact, the nearest first, in one query over indexes; runs do not matter, cached results and importers neither. */
  async links(artifact: Pick<ArtifactRow, "id" | "namespace">, { direction, depth, limit }: LineageLimits): Promise<LineageLink[]> {
    const [near, far] = direction === "UPSTREAM" ? ["OUTPUT", "INPUT"] : ["INPUT", "OUTPUT"];
    // The order of the joins is that of the way: SQLite keeps to it where it says "cross".
    const links = sql.table("pipelines_artifact_tasks");
    const { namespace } = artifact;
    const { rows } = await sql<LineageLink>`
      with recursive walk (artifact_id, depth) as (
        select cast(${artifact.id} as text), 0
        union
        select other.artifact_id, walk.depth + 1 from walk
        cross join ${links} as link cross join ${links} as other
        where link.artifact_id = walk.artifact_id and link.direction = ${near} and link.is_lineage = 1 and link.namespace = ${namespace}
          and other.task_id = link.task_id and other.direction = ${far} and other.is_lineage = 1 and walk.depth + 1 < ${depth}
      ),
      reached (artifact_id, depth) as (select artifact_id, min(depth) from walk group by artifact_id),
      tasks (task_id, depth) as (
        select link.task_id, min(reached.depth) from reached cross join ${links} as link
        where link.artifact_id = reached.artifact_id and link.direction = ${near} and link.is_lineage = 1 and link.namespace = ${namespace}
        group by link.task_id
      )
      select link.artifact_id, link.task_id, link.run_id, link.direction, link.key, link.position, tasks.depth as depth
      from tasks cross join ${links} as link
      where link.task_id = tasks.task_id and link.is_lineage = 1 and (link.direction = ${far} or link.artifact_id in (select artifact_id from reached))
      order by tasks.depth, link.task_id, link.direction, link.key, link.position limit ${limit}`.execute(this.#database.read);
    return rows.map((row) => ({ ...row, depth: Number(row.depth), position: Number(row.position) }));
  }

  /** The records of tasks, by their ids. */
  async tasks(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const some of chunks(ids)) {
      const query = this.#database.read.selectFrom("pipelines_tasks").select(["id", "record"]);
      for (const { id, record } of await query.where("id", "in", [...some]).execute()) found.set(id, record);
    }
    return found;
  }
}
