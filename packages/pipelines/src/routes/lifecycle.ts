import type { Routes } from "@sluice/component";
import type { JsonObject } from "../domain/ir.ts";
import type { ArtifactPolicy } from "../lifecycle/lifecycle-settings.ts";
import { equals } from "../store/page.ts";
import type { RunRow } from "../store/tables.ts";
import { authorize, found, type RouteContext, type RouteOptions } from "./context.ts";
import { runJson } from "./json.ts";
import { invalid, Message, readJson } from "./message.ts";
import { loadRun, readRun } from "./runs.ts";

const CLONE = ["display_name", "description", "experiment_id", "parameters", "pipeline_root", "service_account"];
const RUN = [
  "display_name",
  "description",
  "experiment_id",
  "namespace",
  "pipeline_spec",
  "pipeline_version_reference",
  "runtime_config",
  "service_account",
];
const PAGE = 200;

/** What there is to a run beside its making: `:clone`, and how it, or all of an experiment, is deleted. */
export function lifecycleRoutes(app: Routes, options: RouteOptions): void {
  const { store, runner } = options;

  app.post("/runs/:target{[^/:]+[:]clone}", async (context) => {
    const id = context.req.param("target").slice(0, -":clone".length);
    const original = await loadRun(options, context, id, "get");
    const { row, fallback } = await readRun(options, context, await cloneOf(options, original, new Message(await readJson(context, {}), "", CLONE)));
    return context.json(runJson(await runner.create(row, fallback)));
  });

  app.delete("/runs/:id", async (context) => {
    const policy = policyOf(context);
    await runner.delete(await loadRun(options, context, context.req.param("id"), "delete"), policy);
    return context.json({});
  });

  // Without `cascade`, the runs of an experiment stay, as upstream's do.
  app.delete("/experiments/:id", async (context, next) => {
    if (context.req.query("cascade") !== "true") return next();
    const policy = policyOf(context);
    const id = context.req.param("id");
    const experiment = found(await store.experiments.find(id), "experiment", id);
    for (const resource of ["experiments", "runs"] as const) {
      await authorize(options, context, { verb: "delete", resource, namespace: experiment.namespace, name: experiment.name });
    }
    const query = { predicates: [equals("experiment_id", id)], sortColumn: "created_at", isDescending: false, pageSize: PAGE };
    for (let rows = (await store.runs.list(query)).rows; rows.length > 0; rows = (await store.runs.list(query)).rows) {
      for (const row of rows) await runner.delete(row, policy);
    }
    return next();
  });
}

/** What becomes of artifacts, if the request says so. */
function policyOf(context: RouteContext): ArtifactPolicy | undefined {
  const policy = context.req.query("artifacts");
  if (policy === undefined || policy === "delete" || policy === "keep") return policy;
  throw invalid("artifacts", `${JSON.stringify(policy)} is neither "delete" nor "keep"`);
}

/** As upstream's page names clones: a clone of a clone is another one of the original. */
function cloneName(name: string): string {
  const [, count = name.startsWith("Clone of ") ? "1" : "0", original = name] = /^Clone (?:\((\d+)\) )?of (.*)$/su.exec(name) ?? [];
  return count === "0" ? `Clone of ${original}` : `Clone (${Number(count) + 1}) of ${original}`;
}

/** The request for a run like another, but for what the body says. */
async function cloneOf({ store }: RouteOptions, row: RunRow, body: Message): Promise<Message> {
  const version = row.version_id === "" ? undefined : await store.versions.find(row.pipeline_id, row.version_id);
  const given = (name: string, own: string): string => (body.has(name) ? body.text(name) : own);
  const parameters = { ...(JSON.parse(row.parameters) as JsonObject), ...body.object("parameters") };
  const source =
    version === undefined
      ? { pipeline_spec: JSON.parse(row.spec) as JsonObject }
      : { pipeline_version_reference: { pipeline_id: row.pipeline_id, pipeline_version_id: row.version_id } };
  const experiment = await store.experiments.find(row.experiment_id);
  const message: JsonObject = {
    ...source,
    namespace: row.namespace,
    display_name: given("display_name", cloneName(row.name)),
    description: given("description", row.description),
    experiment_id: given("experiment_id", experiment?.id ?? ""),
    service_account: given("service_account", row.service_account),
    runtime_config: { parameters, pipeline_root: given("pipeline_root", row.pipeline_root) },
  };
  return new Message(message, "", RUN);
}
