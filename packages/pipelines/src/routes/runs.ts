import type { Routes } from "@sluice/component";
import { ApiError, isApiError } from "@sluice/kubernetes";
import { parseObjectUri } from "@sluice/object-store";
import { runParameters } from "../engine/parameter-type.ts";
import { equals } from "../store/page.ts";
import type { ExperimentRow, RunRow } from "../store/tables.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { DEFAULT_EXPERIMENT, newExperiment } from "./experiments.ts";
import { runJson, specJson, taskJson } from "./json.ts";
import { readEdit } from "./lifecycle.ts";
import { listRequest } from "./list-options.ts";
import { invalid, Message, readJson } from "./message.ts";
import { watchRun } from "./run-watch.ts";
import { watchRuns } from "./runs-watch.ts";

const RUN = [
  ...["experiment_id", "run_id", "display_name", "storage_state", "description", "pipeline_version_id", "pipeline_spec", "namespace"],
  ...["pipeline_version_reference", "runtime_config", "service_account", "created_at", "scheduled_at", "finished_at", "state", "error"],
  ...["run_details", "recurring_run_id", "state_history", "plugins_input", "plugins_output", "tasks", "task_count", "pipeline_reference"],
];
const FIELDS = {
  ...{ id: "id", run_id: "id", name: "name", display_name: "name", created_at: "created_at", finished_at: "finished_at", description: "description" },
  ...{ scheduled_at: "scheduled_at", storage_state: "storage_state", status: "state", state: "state", namespace: "namespace" },
  ...{ experiment_id: "experiment_id", pipeline_id: "pipeline_id", pipeline_version_id: "version_id" },
};
const TASK_FIELDS = { id: "id", task_id: "id", created_at: "created_at", create_time: "created_at", state: "state" };

/** The run, if the request may do `verb` to it. */
export async function loadRun(options: RouteOptions, context: RouteContext, id: string, verb: string): Promise<RunRow> {
  const row = found(await options.store.runs.find(id), "run", id);
  await authorize(options, context, { verb, resource: "runs", namespace: row.namespace, name: row.name });
  return row;
}

/** `/runs`, and their tasks. */
export function runRoutes(app: Routes, options: RouteOptions): void {
  const { store, runner } = options;

  app.post("/runs", async (context) => {
    const { row, fallback } = await readRun(options, context, new Message(await readJson(context), "", RUN));
    return context.json(runJson(await runner.create(row, fallback)));
  });

  app.get("/runs", async (context) => {
    const experimentId = context.req.query("experiment_id") ?? "";
    const experiment = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment", experimentId);
    const namespace = experiment?.namespace ?? namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "runs", namespace });
    const scope = [equals("namespace", namespace), ...(experiment === undefined ? [] : [equals("experiment_id", experiment.id)])];
    const request = listRequest((name) => context.req.query(name), FIELDS, scope);
    return context.json(listJson("runs", await store.runs.list(request.query), request, (row) => runJson(row)));
  });

  app.get("/runs:watch", async (context) => {
    const namespace = namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "runs", namespace });
    return watchRuns(options, namespace);
  });

  app.get("/runs/:target", async (context) => {
    const [id = "", verb] = context.req.param("target").split(":");
    if (verb !== undefined && verb !== "watch") throw unknownPath(context);
    const row = await loadRun(options, context, id, "get");
    if (verb === "watch") return watchRun(options, row);
    return context.json(runJson(row, await store.tasks.ofRun(id), context.req.query("view") === "FULL"));
  });

  app.post("/runs/:target", async (context) => {
    const [id = "", verb = ""] = context.req.param("target").split(":");
    if (!["archive", "unarchive", "terminate", "retry"].includes(verb)) throw unknownPath(context);
    await loadRun(options, context, id, verb);
    if (verb === "terminate") await runner.terminate(id);
    else if (verb === "retry") await runner.retry(id, await readEdit(context));
    else await store.runs.shelve(id, verb === "archive" ? "ARCHIVED" : "AVAILABLE", options.clock.now());
    return context.json({});
  });

  app.get("/runs/:id/tasks", async (context) => {
    const row = await loadRun(options, context, context.req.param("id"), "get");
    const request = listRequest((name) => context.req.query(name === "sort_by" ? "order_by" : name), TASK_FIELDS, [equals("run_id", row.id)]);
    return context.json(listJson("tasks", await store.tasks.list(request.query), request, (task) => taskJson(task, row)));
  });

  app.get("/runs/:id/tasks/:task", async (context) => {
    const row = await loadRun(options, context, context.req.param("id"), "get");
    const id = context.req.param("task");
    return context.json(taskJson(found(await store.tasks.find(row.id, id), "task", id), row));
  });
}

function unknownPath(context: RouteContext): ApiError {
  return new ApiError("NotFound", `there is no ${context.req.method} ${context.req.path}`);
}

/** A run to create. */
export interface NewRun {
  readonly row: RunRow;
  /** The experiment of a run that names none. */
  readonly fallback?: ExperimentRow;
}

/** The run that a message describes, checked whole before anything of it is stored. */
export async function readRun(options: RouteOptions, context: RouteContext, body: Message): Promise<NewRun> {
  const { store, newId, clock } = options;
  const experimentId = body.text("experiment_id");
  const named = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment_id: experiment", experimentId);
  const namespace = named?.namespace ?? namespaceOf(body.text("namespace"));
  await authorize(options, context, { verb: "create", resource: "runs", namespace });
  const source = await readSource(options, context, body);
  const { json, parsed } = specJson(source.spec);
  const config = body.has("runtime_config")
    ? new Message(body.value("runtime_config"), "runtime_config", ["parameters", "pipeline_root"])
    : undefined;
  const parameters = config?.object("parameters") ?? {};
  runParameters(parsed.pipelineSpec.root, parameters);
  const pipelineRoot = config?.text("pipeline_root") ?? "";
  if (pipelineRoot !== "") checkRoot(pipelineRoot);
  const now = clock.now();
  const [name, description, serviceAccount] = [body.required("display_name"), body.text("description"), body.text("service_account")];
  const row: RunRow = {
    ...{ id: newId(), namespace, experiment_id: experimentId, name, description, storage_state: "AVAILABLE", state: "PENDING" },
    ...{ service_account: serviceAccount, pipeline_id: source.pipelineId, version_id: source.versionId, spec: json },
    ...{ parameters: JSON.stringify(parameters), pipeline_root: pipelineRoot, progress: JSON.stringify({ phase: "PENDING" }) },
    ...{ history: JSON.stringify([{ time: now, state: "PENDING" }]), created_at: now, scheduled_at: now, finished_at: 0 },
  };
  return named === undefined ? { row, fallback: newExperiment(options, namespace, DEFAULT_EXPERIMENT) } : { row };
}

/** Where artifacts go must be an object's URI; what follows "?" tells other object stores how to reach theirs. */
function checkRoot(root: string): void {
  try {
    parseObjectUri(root.replace(/\?.*$/su, ""));
  } catch (error) {
    if (!isApiError(error)) throw error;
    throw invalid("runtime_config.pipeline_root", `${error.message}; give one such as minio://bucket/path`);
  }
}

interface RunSource {
  readonly spec: unknown;
  readonly pipelineId: string;
  readonly versionId: string;
}

/** Where the run's pipeline comes from: the message itself, or a stored version; without a version's id, the latest. */
async function readSource(options: RouteOptions, context: RouteContext, body: Message): Promise<RunSource> {
  const { store } = options;
  const given = ["pipeline_spec", "pipeline_version_reference", "pipeline_version_id"].filter((name) => body.has(name));
  if (given.length !== 1) throw invalid("pipeline_spec", "exactly one of pipeline_spec and pipeline_version_reference must be given");
  if (body.has("pipeline_spec")) return { spec: body.value("pipeline_spec"), pipelineId: "", versionId: "" };
  const reference = body.has("pipeline_version_reference")
    ? new Message(body.value("pipeline_version_reference"), "pipeline_version_reference", ["pipeline_id", "pipeline_version_id"])
    : undefined;
  const pipelineId = reference?.text("pipeline_id") ?? "";
  const versionId = reference?.text("pipeline_version_id") ?? body.text("pipeline_version_id");
  if (pipelineId === "" && versionId === "") throw invalid("pipeline_version_reference", "names neither a pipeline nor a version");
  const version =
    versionId === ""
      ? found(await store.versions.findLatest(pipelineId), "pipeline_version_reference: a version of pipeline", pipelineId)
      : found(
          await store.versions.find(pipelineId === "" ? undefined : pipelineId, versionId),
          "pipeline_version_reference: pipeline version",
          versionId,
        );
  const pipeline = found(await store.pipelines.find(version.pipeline_id), "pipeline", version.pipeline_id);
  await authorize(options, context, { verb: "get", resource: "pipelines", namespace: pipeline.namespace, name: pipeline.name });
  return { spec: JSON.parse(version.spec), pipelineId: version.pipeline_id, versionId: version.id };
}
