import type { RouteEnvironment, Routes } from "@sluice/component";
import { Hono } from "hono";
import { Api, type Operation } from "./api.ts";
import { artifactByteRoutes } from "./artifact-bytes.ts";
import { artifactRecordRoutes } from "./artifact-records.ts";
import { artifactTaskRoutes } from "./artifact-tasks.ts";
import type { RouteOptions } from "./context.ts";
import { cacheRoutes } from "./cache.ts";
import { debugRoutes } from "./debug.ts";
import { lifecycleRoutes } from "./lifecycle.ts";
import { lineageRoutes } from "./lineage.ts";
import { recurringRunRoutes } from "./recurring-runs.ts";
import { whyRoutes } from "./why.ts";
import { experimentRoutes } from "./experiments.ts";
import { logRoutes } from "./logs.ts";
import { Metrics } from "./metrics.ts";
import { openApi } from "./openapi.ts";
import { pipelineRoutesOf, versionRoutes } from "./pipelines.ts";
import { runRoutes } from "./runs.ts";
import { KFP_VERSION, serviceRoutes } from "./service-routes.ts";
import { taskRoutes } from "./tasks.ts";
import { uploadRoutes } from "./upload.ts";

/** The component's apps: its REST API, its log route alone, which KFP serves in another place as well, and what Prometheus reads. */
export interface PipelineApps {
  readonly api: Routes;
  readonly logs: Routes;
  readonly metrics: Routes;
  /** What `api` serves. */
  readonly operations: readonly Operation[];
}

/** Builds the component's apps. */
export function pipelineRoutes(options: RouteOptions): PipelineApps {
  const metrics = new Metrics(options.store, options.runner);
  const logs = new Api(options.logger, metrics.observe);
  logRoutes(logs, options);
  const metricsApp = new Hono<RouteEnvironment>();
  metricsApp.get("/", async (context) => {
    const { text, contentType } = await metrics.read();
    return context.body(text, 200, { "content-type": contentType });
  });
  const { app, operations } = pipelineApi(options, metrics);
  return { api: app, logs: logs.app, metrics: metricsApp, operations };
}

/** The table of all routes, its own description included. */
function pipelineApi(options: RouteOptions, metrics: Metrics): Api {
  const api = new Api(options.logger, metrics.observe);
  serviceRoutes(api, options);
  uploadRoutes(api, options);
  lifecycleRoutes(api, options);
  experimentRoutes(api, options);
  pipelineRoutesOf(api, options);
  versionRoutes(api, options);
  whyRoutes(api, options);
  debugRoutes(api, options);
  cacheRoutes(api, options);
  runRoutes(api, options);
  recurringRunRoutes(api, options);
  taskRoutes(api, options);
  lineageRoutes(api, options);
  artifactByteRoutes(api, options);
  artifactRecordRoutes(api, options);
  artifactTaskRoutes(api, options);
  logRoutes(api, options);
  const path = "/openapi.json";
  api.add(
    { method: "get", path, id: "get_openapi", about: "Gives this document.", tag: "Meta", answer: { name: "OpenApi", fields: {} } },
    ({ context }) => Promise.resolve(openApi(api.operations, { server: context.req.path.slice(0, -path.length), version: KFP_VERSION })),
  );
  return api;
}
