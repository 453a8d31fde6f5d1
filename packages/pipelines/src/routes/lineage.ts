import type { JsonObject } from "../domain/ir.ts";
import type { TaskRecord } from "../engine/types.ts";
import type { LineageLink } from "../store/lineage-store.ts";
import type { ArtifactRow } from "../store/tables.ts";
import type { Api } from "./api.ts";
import { artifactRowJson } from "./artifact-json.ts";
import { loadArtifact } from "./artifact-records.ts";
import type { RouteOptions } from "./context.ts";
import { invalid } from "./message.ts";
import { LINEAGE, LINEAGE_DIRECTION } from "./messages.ts";
import { INT32 } from "./schema.ts";
import { compact } from "./wire.ts";

const DEFAULT_DEPTH = 20;
const MAX_DEPTH = 10_000;
const MAX_LINKS = 10_000;

/** `/artifacts/{id}:lineage`: what an artifact was made from, or what was made from it, over as many tasks as `depth` says, in any run. */
export function lineageRoutes(api: Api, options: RouteOptions): void {
  const { lineage, artifacts } = options.store;

  api.add(
    {
      ...{ method: "get", path: "/artifacts/{artifact_id}:lineage", id: "get_lineage", tag: "ArtifactService", answer: LINEAGE },
      about: "Says what an artifact was made from, or what was made from it.",
      query: {
        direction: { ...LINEAGE_DIRECTION, about: "UPSTREAM unless said otherwise" },
        depth: { ...INT32, about: `How many tasks away; ${DEFAULT_DEPTH} unless said otherwise` },
      },
    },
    async (call) => {
      const row = await loadArtifact(options, call, "get");
      const direction = call.query("direction") === "DOWNSTREAM" ? "DOWNSTREAM" : "UPSTREAM";
      const depth = Number(call.query("depth") || DEFAULT_DEPTH);
      if (depth < 1 || depth > MAX_DEPTH) throw invalid("depth", `is a whole number from 1 to ${MAX_DEPTH}`);
      const all = await lineage.links(row, { direction, depth, limit: MAX_LINKS + 1 });
      const links = all.slice(0, MAX_LINKS);
      const [others, tasks] = await Promise.all([
        artifacts.rows(links.map(({ artifact_id: id }) => id)),
        lineage.tasks([...new Set(links.map(({ task_id: taskId }) => taskId))]),
      ]);
      return lineageJson(row, { direction, links, artifacts: others, tasks, isTruncated: all.length > MAX_LINKS });
    },
  );
}

interface Lineage {
  readonly direction: string;
  readonly links: readonly LineageLink[];
  readonly artifacts: readonly ArtifactRow[];
  readonly tasks: ReadonlyMap<string, string>;
  readonly isTruncated: boolean;
}

function lineageJson(row: ArtifactRow, { direction, links, artifacts, tasks, isTruncated }: Lineage): JsonObject {
  const nearest = new Map<string, LineageLink>();
  for (const link of links) if (!nearest.has(link.task_id)) nearest.set(link.task_id, link);
  return compact({
    artifact: artifactRowJson(row),
    direction,
    tasks: [...nearest.values()].map(({ task_id: id, run_id: runId, depth }) => {
      const record = tasks.get(id);
      // The task went with its run; that it was there is known still.
      if (record === undefined) return { task_id: id, run_id: runId, depth };
      const task = JSON.parse(record) as TaskRecord;
      return { task_id: id, run_id: runId, depth, name: task.name, display_name: task.displayName, type: task.kind, state: task.state };
    }),
    artifacts: artifacts.map(artifactRowJson),
    links: links.map(({ artifact_id, task_id, direction: type, key }) => ({ artifact_id, task_id, type, artifact_key: key })),
    truncated: isTruncated || undefined,
  });
}
