import type { Routes } from "@sluice/component";
import type { JsonObject } from "../domain/ir.ts";
import type { TaskRecord } from "../engine/types.ts";
import type { LineageLink } from "../store/lineage-store.ts";
import type { ArtifactRow } from "../store/tables.ts";
import { authorize, found, type RouteOptions } from "./context.ts";
import { artifactRowJson, compact } from "./json.ts";
import { invalid } from "./message.ts";

const DEFAULT_DEPTH = 20;
const MAX_DEPTH = 10_000;
const MAX_LINKS = 10_000;

/**
 * `GET /artifacts/{id}:lineage?direction=UPSTREAM|DOWNSTREAM&depth=20`: `{artifact, direction, tasks, artifacts, links, truncated}`; what an
 * artifact was made from, or what was made from it, over as many tasks as `depth` says, in any run.
 */
export function lineageRoutes(app: Routes, options: RouteOptions): void {
  const { lineage, artifacts } = options.store;

  app.get("/artifacts/:target{[^/]+:lineage}", async (context) => {
    const id = context.req.param("target").slice(0, -":lineage".length);
    const row = found(await artifacts.find(id), "artifact", id);
    await authorize(options, context, { verb: "get", resource: "runs", namespace: row.namespace });
    const direction = (context.req.query("direction") ?? "UPSTREAM").toUpperCase();
    if (direction !== "UPSTREAM" && direction !== "DOWNSTREAM") throw invalid("direction", "is UPSTREAM or DOWNSTREAM");
    const depth = Number(context.req.query("depth") ?? DEFAULT_DEPTH);
    if (!Number.isInteger(depth) || depth < 1 || depth > MAX_DEPTH) throw invalid("depth", `is a whole number from 1 to ${MAX_DEPTH}`);
    const all = await lineage.links(row, { direction, depth, limit: MAX_LINKS + 1 });
    const links = all.slice(0, MAX_LINKS);
    const [others, tasks] = await Promise.all([
      lineage.artifacts([...new Set(links.map(({ artifact_id: artifactId }) => artifactId))]),
      lineage.tasks([...new Set(links.map(({ task_id: taskId }) => taskId))]),
    ]);
    return context.json(lineageJson(row, { direction, links, artifacts: others, tasks, isTruncated: all.length > MAX_LINKS }));
  });
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
