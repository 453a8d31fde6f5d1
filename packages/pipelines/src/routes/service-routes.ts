import { PreconditionError } from "@sluice/component";
import type { Api } from "./api.ts";
import { authorize, namespaceOf, type RouteOptions } from "./context.ts";
import { invalid, readJson } from "./message.ts";
import { FILTER, HEALTH, VISUALIZATION } from "./messages.ts";
import { enumOf, STRING } from "./schema.ts";

/** The release of Kubeflow Pipelines whose API this is; clients compare it with their own. */
export const KFP_VERSION = "2.17.0";

/** What KFP's server answers beside its things: how it is, who may do what, and what is for its own agents. */
export function serviceRoutes(api: Api, options: RouteOptions): void {
  api.add(
    {
      method: "get",
      path: "/healthz",
      id: "get_healthz",
      about: "Tells that the server is there, and which.",
      tag: "HealthzService",
      answer: HEALTH,
    },
    () => Promise.resolve({ commit_sha: "unknown", tag_name: KFP_VERSION, multi_user: false, pipeline_store: "database" }),
  );

  api.add(
    {
      ...{ method: "get", path: "/auth", id: "authorize", about: "Tells whether a user may do something to a viewer.", tag: "AuthService" },
      query: {
        namespace: STRING,
        resources: enumOf("Resources", ["UNASSIGNED_RESOURCES", "VIEWERS"]),
        verb: enumOf("Verb", ["UNASSIGNED_VERB", "CREATE", "GET", "DELETE"]),
      },
    },
    async ({ context, query }) => {
      const [namespace, resources, verb] = [query("namespace"), query("resources"), query("verb")];
      if (namespace === "") throw invalid("namespace", "must be given");
      if (resources !== "VIEWERS") throw invalid("resources", "must be VIEWERS");
      if (verb === "" || verb === "UNASSIGNED_VERB") throw invalid("verb", "must be CREATE, GET or DELETE");
      const action = { verb: verb.toLowerCase(), group: "kubeflow.org", resource: "viewers", namespace: namespaceOf(namespace) };
      await options.gate.authorize(context.get("identity"), action);
      return {};
    },
  );

  // Upstream has it so that its document describes filters.
  api.add({ method: "get", path: "/filters", id: "get_filter", about: "Describes filters.", tag: "DummyFilterService", answer: FILTER }, () =>
    Promise.resolve({}),
  );

  for (const [path, id, what] of [
    ["/workflows", "report_workflow", "an Argo Workflow"],
    ["/scheduledworkflows", "report_scheduled_workflow", "a ScheduledWorkflow"],
  ] as const) {
    api.add(
      { method: "post", path, id, about: `Refuses to hear of ${what}: this server has made none.`, tag: "ReportService", body: "string" },
      async ({ context }) => {
        await authorize(options, context, {
          verb: "report",
          resource: path === "/workflows" ? "workflows" : "scheduledworkflows",
          namespace: namespaceOf(""),
        });
        const text = await readJson(context);
        if (typeof text !== "string" || !isJson(text)) throw invalid("", `the body must be ${what} as JSON in a string`);
        throw new PreconditionError(`this server runs its pipelines itself and made no such object: nobody may report ${what} to it`);
      },
    );
  }

  api.add(
    {
      ...{ method: "post", path: "/visualizations/{namespace}", id: "create_visualization", tag: "VisualizationService" },
      ...{ about: "Refuses to draw: there is no Python server here that does.", body: VISUALIZATION, answer: VISUALIZATION },
    },
    async (call) => {
      await authorize(options, call.context, { verb: "create", resource: "visualizations", namespace: namespaceOf(call.param("namespace")) });
      await call.body();
      throw new PreconditionError("this server has no visualization service: the dashboard shows metrics, HTML and Markdown by itself");
    },
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
