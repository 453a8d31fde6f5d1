import type { RouteEnvironment, Routes } from "@sluice/component";
import type { Logger } from "@sluice/controller";
import { ApiError, UserError, type StatusReason } from "@sluice/kubernetes";
import { Hono } from "hono";
import { artifactRoutes } from "./artifacts.ts";
import { cacheRoutes } from "./cache.ts";
import type { RouteOptions } from "./context.ts";
import { debugRoutes } from "./debug.ts";
import { experimentRoutes } from "./experiments.ts";
import { lifecycleRoutes } from "./lifecycle.ts";
import { lineageRoutes } from "./lineage.ts";
import { logRoutes } from "./logs.ts";
import { pipelineAndVersionRoutes } from "./pipelines.ts";
import { recurringRunRoutes } from "./recurring-runs.ts";
import { runRoutes } from "./runs.ts";
import { uploadRoutes } from "./upload.ts";
import { whyRoutes } from "./why.ts";

/** Reasons in gRPC's codes. */
const RPC_CODES: Partial<Record<StatusReason, number>> = {
  ...{ BadRequest: 3, Invalid: 3, NotFound: 5, AlreadyExists: 6, Forbidden: 7, RequestEntityTooLarge: 3, TooManyRequests: 8 },
  ...{ Conflict: 10, MethodNotAllowed: 12, Gone: 5, Timeout: 4, ServiceUnavailable: 14, Unauthorized: 16 },
};

/** The component's REST API, and its log route alone, which KFP serves in another place as well. */
export function pipelineRoutes(options: RouteOptions): { readonly api: Routes; readonly logs: Routes } {
  const api = newApp(options.logger);
  api.get("/healthz", (context) => context.json({ multi_user: false, pipeline_store: "database", tag_name: "2.17.0" }));
  uploadRoutes(api, options);
  lifecycleRoutes(api, options);
  experimentRoutes(api, options);
  pipelineAndVersionRoutes(api, options);
  whyRoutes(api, options);
  debugRoutes(api, options);
  cacheRoutes(api, options);
  runRoutes(api, options);
  recurringRunRoutes(api, options);
  // Before the artifacts' own, which take any verb.
  lineageRoutes(api, options);
  artifactRoutes(api, options);
  logRoutes(api, options);
  const logs = newApp(options.logger);
  logRoutes(logs, options);
  return { api, logs };
}

function newApp(logger: Logger): Routes {
  const app = new Hono<RouteEnvironment>();
  app.onError((error, context) => {
    const refused = apiErrorOf(error);
    if (refused.code >= 500) logger.error("request failed", { method: context.req.method, path: context.req.path, error });
    const code = RPC_CODES[refused.reason] ?? 13;
    const { message } = refused;
    // KFP knows no 422.
    const status = refused.code === 422 ? 400 : refused.code;
    const details = [{ "@type": "type.googleapis.com/google.rpc.Status", code, message }];
    return context.json({ error: message, message, code, details }, status as 500);
  });
  return app;
}

function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof UserError) {
    return new ApiError("BadRequest", error.fix === undefined ? error.message : `${error.message}. ${error.fix}`, { cause: error });
  }
  return new ApiError("InternalError", "an unexpected error happened; the server's log has it", { cause: error });
}
