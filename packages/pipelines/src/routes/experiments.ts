import { isApiError } from "@sluice/kubernetes";
import { equals } from "../store/page.ts";
import type { ExperimentRow } from "../store/tables.ts";
import type { Api, Call } from "./api.ts";
import { authorize, found, listJson, namespaceOf, type RouteOptions } from "./context.ts";
import { experimentJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { EXPERIMENT, LIST_QUERY, listMessage } from "./messages.ts";
import { nameOf } from "./names.ts";
import { STRING } from "./schema.ts";

const FIELDS = {
  ...{ id: "id", experiment_id: "id", name: "name", display_name: "name", created_at: "created_at", last_run_created_at: "last_run_at" },
  ...{ namespace: "namespace", storage_state: "storage_state", description: "description" },
};
/** The experiment of runs that name none. */
export const DEFAULT_EXPERIMENT = "Default";

/** A new experiment's row. */
export function newExperiment(
  { newId, clock }: Pick<RouteOptions, "newId" | "clock">,
  namespace: string,
  name: string,
  description = "",
): ExperimentRow {
  return { id: newId(), namespace, name, description, created_at: clock.now(), storage_state: "AVAILABLE", last_run_at: 0 };
}

/** The default experiment of a namespace, made if there is none. */
export async function ensureDefaultExperiment(options: Pick<RouteOptions, "store" | "newId" | "clock">, namespace: string): Promise<void> {
  try {
    await options.store.experiments.create(newExperiment(options, namespace, DEFAULT_EXPERIMENT));
  } catch (error) {
    if (!isApiError(error, "AlreadyExists")) throw error;
  }
}

/** `/experiments`. */
export function experimentRoutes(api: Api, options: RouteOptions): void {
  const { store } = options;
  const load = async ({ context, param }: Call, verb: string): Promise<ExperimentRow> => {
    const id = param("experiment_id");
    const row = found(await store.experiments.find(id), "experiment", id);
    await authorize(options, context, { verb, resource: "experiments", namespace: row.namespace, name: row.name });
    return row;
  };
  /** Creations under way, by namespace and name: whoever asks for the same one in the meantime shares it. */
  const creating = new Map<string, Promise<ExperimentRow>>();
  const create = (row: ExperimentRow): Promise<ExperimentRow> => {
    const key = JSON.stringify([row.namespace, row.name, row.description]);
    const created = creating.get(key) ?? store.experiments.create(row).then(() => row);
    creating.set(key, created);
    return created.finally(() => creating.delete(key));
  };
  const tag = "ExperimentService";
  const path = "/experiments/{experiment_id}";

  api.add(
    { method: "post", path: "/experiments", id: "create_experiment", about: "Creates an experiment.", tag, body: EXPERIMENT, answer: EXPERIMENT },
    async (call) => {
      const body = await call.body();
      const row = newExperiment(options, namespaceOf(body.text("namespace")), nameOf(body, "display_name"), body.text("description"));
      await authorize(options, call.context, { verb: "create", resource: "experiments", namespace: row.namespace });
      return experimentJson(await create(row));
    },
  );

  const query = { ...LIST_QUERY, namespace: STRING };
  const answer = listMessage("ListExperimentsResponse", "experiments", EXPERIMENT);
  api.add({ method: "get", path: "/experiments", id: "list_experiments", about: "Lists experiments.", tag, query, answer }, async (call) => {
    const namespace = namespaceOf(call.query("namespace"));
    await authorize(options, call.context, { verb: "list", resource: "experiments", namespace });
    const request = listRequest(call.query, FIELDS, [equals("namespace", namespace)]);
    return listJson("experiments", await store.experiments.list(request.query), request, experimentJson);
  });

  api.add({ method: "get", path, id: "get_experiment", about: "Reads an experiment.", tag, answer: EXPERIMENT }, async (call) =>
    experimentJson(await load(call, "get")),
  );

  for (const [verb, state, about] of [
    ["archive", "ARCHIVED", "Puts an experiment and its runs away."],
    ["unarchive", "AVAILABLE", "Takes an experiment out again; its runs stay where they are."],
  ] as const) {
    api.add({ method: "post", path: `${path}:${verb}`, id: `${verb}_experiment`, about, tag }, async (call) => {
      await store.experiments.shelve((await load(call, verb)).id, state, options.clock.now());
      return {};
    });
  }
}
