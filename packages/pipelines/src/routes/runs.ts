import type { JsonObject } from "../domain/ir.ts";
import { runParameters } from "../engine/parameter-type.ts";
import { checkedRoot } from "../runner/artifact-root.ts";
import { equals } from "../store/page.ts";
import type { ExperimentRow, RunListRow, RunRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { DEFAULT_EXPERIMENT, newExperiment } from "./experiments.ts";
import { runJson, runRowJson, specJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { invalid, Message } from "./message.ts";
import { LIST_QUERY, listMessage, RETRY_RUN, RUN, RUNTIME_CONFIG, VERSION_REFERENCE, VIEW } from "./messages.ts";
import { nameOf } from "./names.ts";
import { editOf } from "./read-edit.ts";
import { fullRun, fullRuns } from "./full-runs.ts";
import { watchRun } from "./run-watch.ts";
import { watchRuns } from "./runs-watch.ts";
import { STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", run_id: "id", name: "name", display_name: "name", created_at: "created_at", finished_at: "finished_at", description: "description" },
  ...{ scheduled_at: "scheduled_at", storage_state: "storage_state", status: "state", state: "state", namespace: "namespace" },
  ...{ experiment_id: "experiment_id", pipeline_id: "pipeline_id", pipeline_version_id: "version_id" },
  ...{ recurring_run_id: "recurring_run_id", state_history: "history", runtime_details: "progress", service_account: "service_account" },
};
/** A run with more tasks than this does not tell of them to clients that do not know to ask for them. */
const MAX_TASK_DETAILS = 200;
/** How many runs a page may have if all their tasks are asked for. */
const MAX_FULL_RUNS = 100;

/** The run, if the request may do `verb` to it. */
export async function loadRun(options: RouteOptions, context: RouteContext, id: string, verb: string): Promise<RunRow> {
  const row = found(await options.store.runs.find(id), "run", id);
  await authorize(options, context, { verb, resource: "runs", namespace: row.namespace, name: row.name });
  return row;
}

/** The same without its specification. */
export async function loadRunOutline(options: RouteOptions, context: RouteContext, id: string, verb: string): Promise<RunListRow> {
  const row = found(await options.store.runs.findOutline(id), "run", id);
  await authorize(options, context, { verb, resource: "runs", namespace: row.namespace, name: row.name });
  return row;
}

const TAG = "RunService";
const PATH = "/runs/{run_id}";
/** Upstream's older clients name the experiment, too, which tells nothing. */
const DEPRECATED = { experiment_id: { ...STRING, about: "Ignored" } };

/** `/runs`. */
export function runRoutes(api: Api, options: RouteOptions): void {
  const { store, runner, clock } = options;

  api.add(
    { method: "post", path: "/runs", id: "create_run", about: "Starts a run.", tag: TAG, query: DEPRECATED, body: RUN, answer: RUN },
    async (call) => {
      const { row, fallback } = await readRun(options, call.context, await call.body());
      return runJson(await runner.create(row, fallback));
    },
  );

  const query = { ...LIST_QUERY, namespace: STRING, experiment_id: STRING, view: VIEW };
  const answer = listMessage("ListRunsResponse", "runs", RUN);
  api.add({ method: "get", path: "/runs", id: "list_runs", about: "Lists runs, without their pipelines.", tag: TAG, query, answer }, async (call) => {
    const experimentId = call.query("experiment_id");
    const experiment = experimentId === "" ? undefined : found(await store.experiments.find(experimentId), "experiment", experimentId);
    const namespace = experiment?.namespace ?? namespaceOf(call.query("namespace"));
    await authorize(options, call.context, { verb: "list", resource: "runs", namespace });
    const scope = [equals("namespace", namespace), ...(experiment === undefined ? [] : [equals("experiment_id", experiment.id)])];
    const isFull = call.query("view") === "FULL";
    const request = listRequest(call.query, FIELDS, scope, isFull ? MAX_FULL_RUNS : undefined);
    const page = await store.runs.list(request.query);
    const counts = await store.runs.taskCounts(page.rows.map(({ id }) => id));
    const list = listJson("runs", page, request, (row) => runRowJson(row, counts.get(row.id) ?? 0));
    return isFull ? fullRuns(options, page.rows, list) : list;
  });

  const watched = "text/event-stream";
  api.add(
    {
      method: "get",
      path: "/runs:watch",
      id: "watch_runs",
      about: "Tells of a namespace's runs as they change.",
      tag: TAG,
      query: { namespace: STRING },
      answer: watched,
    },
    async (call) => {
      const namespace = namespaceOf(call.query("namespace"));
      await authorize(options, call.context, { verb: "list", resource: "runs", namespace });
      return watchRuns(options, namespace);
    },
  );
  api.add(
    { method: "get", path: `${PATH}:watch`, id: "watch_run", about: "Tells of a run as it goes on.", tag: TAG, answer: watched },
    async (call) => watchRun(options, await loadRun(options, call.context, call.param("run_id"), "get")),
  );

  api.add(
    {
      method: "get",
      path: PATH,
      id: "get_run",
      about: "Reads a run; its tasks only if they are asked for.",
      tag: TAG,
      query: { ...DEPRECATED, view: VIEW },
      answer: RUN,
    },
    async (call) => {
      const row = await loadRun(options, call.context, call.param("run_id"), "get");
      const view = call.query("view");
      const taskCount = (await store.runs.taskCounts([row.id])).get(row.id) ?? 0;
      if (view === "FULL") return fullRun(options, row, taskCount);
      if (view === "DEFAULT" || taskCount > MAX_TASK_DETAILS) return runJson(row, { taskCount });
      return runJson(row, { taskCount, details: await store.tasks.ofRun(row.id) });
    },
  );

  const verbs: readonly (readonly [string, string, (id: string) => Promise<void>])[] = [
    ["archive", "Puts a run away; one that goes on does so.", (id) => store.runs.shelve(id, "ARCHIVED", clock.now())],
    ["unarchive", "Takes a run out again.", (id) => store.runs.shelve(id, "AVAILABLE", clock.now())],
    ["terminate", "Stops a run.", (id) => runner.terminate(id)],
  ];
  for (const [verb, about, act] of verbs) {
    api.add({ method: "post", path: `${PATH}:${verb}`, id: `${verb}_run`, about, tag: TAG, query: DEPRECATED }, async (call: Call) => {
      await act((await loadRunOutline(options, call.context, call.param("run_id"), verb)).id);
      return {};
    });
  }
  api.add(
    {
      ...{ method: "post", path: `${PATH}:retry`, id: "retry_run", tag: TAG, query: DEPRECATED, body: RETRY_RUN, isBodyOptional: true },
      about: "Starts again what failed in a run that has ended, or goes on as an edited pipeline.",
    },
    async (call) => {
      const { id } = await loadRunOutline(options, call.context, call.param("run_id"), "retry");
      await runner.retry(id, editOf(await call.body()));
      return {};
    },
  );
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
  const { parameters, pipelineRoot } = readRuntimeConfig(body);
  runParameters(parsed.pipelineSpec.root, parameters);
  const now = clock.now();
  const [name, description, serviceAccount] = [nameOf(body, "display_name"), body.text("description"), body.text("service_account")];
  const row: RunRow = {
    ...{ id: newId(), namespace, experiment_id: experimentId, name, description, storage_state: "AVAILABLE", state: "PENDING" },
    ...{ service_account: serviceAccount, pipeline_id: source.pipelineId, version_id: source.versionId, spec: json },
    pipeline_name: parsed.pipelineSpec.pipelineInfo.name,
    ...{ parameters: JSON.stringify(parameters), pipeline_root: pipelineRoot, progress: JSON.stringify({ phase: "PENDING" }) },
    ...{ history: JSON.stringify([{ time: now, state: "PENDING" }]), created_at: now, scheduled_at: now, finished_at: 0 },
    recurring_run_id: "",
  };
  return named === undefined ? { row, fallback: newExperiment(options, namespace, DEFAULT_EXPERIMENT) } : { row };
}

/** The parameters of a run or a schedule of runs, and where their artifacts go. */
export function readRuntimeConfig(body: Message): { readonly parameters: JsonObject; readonly pipelineRoot: string } {
  const config = body.has("runtime_config") ? new Message(body.value("runtime_config"), "runtime_config", RUNTIME_CONFIG) : undefined;
  const pipelineRoot = config?.text("pipeline_root") ?? "";
  if (pipelineRoot !== "") checkedRoot(pipelineRoot, "runtime_config.pipeline_root");
  return { parameters: config?.object("parameters") ?? {}, pipelineRoot };
}

/** A pipeline, and where it is stored, if it is. */
export interface RunSource {
  readonly spec: unknown;
  readonly pipelineId: string;
  readonly versionId: string;
}

/** Where the run's pipeline comes from: the message itself, or a stored version; without a version's id, the latest. */
export async function readSource(options: RouteOptions, context: RouteContext, body: Message): Promise<RunSource> {
  const { store } = options;
  const given = ["pipeline_spec", "pipeline_version_reference", "pipeline_version_id"].filter((name) => body.has(name));
  if (given.length !== 1) throw invalid("pipeline_spec", "exactly one of pipeline_spec and pipeline_version_reference must be given");
  if (body.has("pipeline_spec")) return { spec: body.value("pipeline_spec"), pipelineId: "", versionId: "" };
  const reference = body.has("pipeline_version_reference")
    ? new Message(body.value("pipeline_version_reference"), "pipeline_version_reference", VERSION_REFERENCE)
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
