import { PreconditionError } from "@sluice/component";
import type { JsonObject } from "../domain/ir.ts";
import type { ArtifactPolicy } from "../lifecycle/lifecycle-settings.ts";
import { equals } from "../store/page.ts";
import type { RunRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, type RouteOptions } from "./context.ts";
import { DEFAULT_EXPERIMENT } from "./experiments.ts";
import { runJson } from "./json.ts";
import { Message } from "./message.ts";
import { CLONE_RUN, RUN } from "./messages.ts";
import { loadRun, readRun } from "./runs.ts";
import { BOOL, enumOf, STRING } from "./schema.ts";

const PAGE = 200;

const ARTIFACTS = { ...enumOf("ArtifactPolicy", ["delete", "keep"]), about: "What becomes of artifacts that nobody else uses" };

/** What there is to a run beside its making: `:clone`, and how it, or an experiment with all of its runs, is deleted. */
export function lifecycleRoutes(api: Api, options: RouteOptions): void {
  const { store, runner } = options;
  const tag = "RunService";

  api.add(
    {
      ...{ method: "post", path: "/runs/{run_id}:clone", id: "clone_run", about: "Starts a run like another, but for what is given.", tag },
      ...{ body: CLONE_RUN, isBodyOptional: true, answer: RUN },
    },
    async (call) => {
      const original = await loadRun(options, call.context, call.param("run_id"), "get");
      const { row, fallback } = await readRun(options, call.context, await cloneOf(options, original, await call.body()));
      return runJson(await runner.create(row, fallback));
    },
  );

  api.add(
    {
      ...{ method: "delete", path: "/runs/{run_id}", id: "delete_run", about: "Deletes a run, its pods and by policy its artifacts.", tag },
      query: { artifacts: ARTIFACTS, experiment_id: { ...STRING, about: "Ignored" } },
    },
    async (call) => {
      await runner.delete(await loadRun(options, call.context, call.param("run_id"), "delete"), policyOf(call));
      return {};
    },
  );

  api.add(
    {
      ...{ method: "delete", path: "/experiments/{experiment_id}", id: "delete_experiment", tag: "ExperimentService" },
      about: "Deletes an experiment; its runs stay, unless they are to go with it.",
      query: { cascade: { ...BOOL, about: "Whether its runs go, too" }, artifacts: ARTIFACTS },
    },
    async (call) => {
      const id = call.param("experiment_id");
      const { name, namespace } = found(await store.experiments.find(id), "experiment", id);
      await authorize(options, call.context, { verb: "delete", resource: "experiments", namespace, name });
      if (name === DEFAULT_EXPERIMENT) throw new PreconditionError(`experiment ${id} is the default of its namespace, which cannot be deleted`);
      if (call.query("cascade") === "true") {
        await authorize(options, call.context, { verb: "delete", resource: "runs", namespace, name });
        await deleteRuns(options, id, policyOf(call));
      }
      await store.experiments.delete(id);
      return {};
    },
  );
}

async function deleteRuns({ store, runner }: RouteOptions, experimentId: string, policy: ArtifactPolicy | undefined): Promise<void> {
  const query = { predicates: [equals("experiment_id", experimentId)], sortColumn: "created_at", isDescending: false, pageSize: PAGE };
  for (let { rows } = await store.runs.list(query); rows.length > 0; { rows } = await store.runs.list(query)) {
    for (const { id } of rows) {
      const row = await store.runs.find(id);
      if (row !== undefined) await runner.delete(row, policy);
    }
  }
}

/** What becomes of artifacts, if the request says so. */
function policyOf(call: Call): ArtifactPolicy | undefined {
  const policy = call.query("artifacts");
  return policy === "delete" || policy === "keep" ? policy : undefined;
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
