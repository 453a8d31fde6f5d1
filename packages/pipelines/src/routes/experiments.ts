import type { Routes } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import { equals } from "../store/page.ts";
import type { ExperimentRow } from "../store/tables.ts";
import { authorize, found, listJson, namespaceOf, type RouteContext, type RouteOptions } from "./context.ts";
import { experimentJson } from "./json.ts";
import { listRequest } from "./list-options.ts";
import { Message, readJson } from "./message.ts";

const EXPERIMENT = ["experiment_id", "display_name", "description", "created_at", "namespace", "storage_state", "last_run_created_at"];
const FIELDS = {
  ...{ id: "id", experiment_id: "id", name: "name", display_name: "name", created_at: "created_at", last_run_created_at: "last_run_at" },
  ...{ namespace: "namespace", storage_state: "storage_state", description: "description" },
};
/** The experiment of runs that name none. */
export const DEFAULT_EXPERIMENT = "Default";

/** A new experiment's row. */
export function newExperiment({ newId, clock }: RouteOptions, namespace: string, name: string, description = ""): ExperimentRow {
  return { id: newId(), namespace, name, description, created_at: clock.now(), storage_state: "AVAILABLE", last_run_at: 0 };
}

/** `/experiments`. */
export function experimentRoutes(app: Routes, options: RouteOptions): void {
  const { store } = options;
  const load = async (context: RouteContext, id: string, verb: string): Promise<ExperimentRow> => {
    const row = found(await store.experiments.find(id), "experiment", id);
    await authorize(options, context, { verb, resource: "experiments", namespace: row.namespace, name: row.name });
    return row;
  };

  app.post("/experiments", async (context) => {
    const body = new Message(await readJson(context), "", EXPERIMENT);
    const row = newExperiment(options, namespaceOf(body.text("namespace")), body.required("display_name"), body.text("description"));
    await authorize(options, context, { verb: "create", resource: "experiments", namespace: row.namespace });
    await store.experiments.create(row);
    return context.json(experimentJson(row));
  });

  app.get("/experiments", async (context) => {
    const namespace = namespaceOf(context.req.query("namespace"));
    await authorize(options, context, { verb: "list", resource: "experiments", namespace });
    const request = listRequest((name) => context.req.query(name), FIELDS, [equals("namespace", namespace)]);
    return context.json(listJson("experiments", await store.experiments.list(request.query), request, experimentJson));
  });

  app.get("/experiments/:id", async (context) => context.json(experimentJson(await load(context, context.req.param("id"), "get"))));

  app.delete("/experiments/:id", async (context) => {
    const { id } = await load(context, context.req.param("id"), "delete");
    await store.experiments.delete(id);
    return context.json({});
  });

  app.post("/experiments/:target", async (context) => {
    const [id = "", verb = ""] = context.req.param("target").split(":");
    if (verb !== "archive" && verb !== "unarchive") throw new ApiError("NotFound", `there is no ${context.req.method} ${context.req.path}`);
    await load(context, id, verb);
    await store.experiments.shelve(id, verb === "archive" ? "ARCHIVED" : "AVAILABLE", options.clock.now());
    return context.json({});
  });
}
