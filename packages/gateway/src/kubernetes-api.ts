import type { ApiRequest, ApiResponse } from "@sluice/client";
import type { Identity, RouteEnvironment, Routes } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import { Hono, type Context } from "hono";
import { streamOf } from "./stream.ts";

/** The Kubernetes API without sockets, as the cluster offers it. */
export interface KubernetesApi {
  send(request: ApiRequest, user: Identity): Promise<ApiResponse>;
}

/** The Kubernetes API in JSON for the dashboard, with the user that the gateway knows; `closing` ends its streams. */
export function kubernetesRoutes(api: KubernetesApi, prefix: string, closing: AbortSignal): Routes {
  const app: Routes = new Hono<RouteEnvironment>();
  app.onError((error, context) => {
    if (!(error instanceof ApiError)) throw error;
    return context.json(error.toStatus(), error.code as 400);
  });
  app.all("*", async (context) => {
    const { req } = context;
    const url = new URL(req.url);
    const response = await api.send(
      {
        method: req.method,
        path: decodePrefix(url.pathname, prefix),
        query: Object.fromEntries(url.searchParams),
        contentType: req.header("content-type")?.split(";")[0],
        body: await bodyOf(context),
        signal: AbortSignal.any([req.raw.signal, closing]),
      },
      context.get("identity"),
    );
    switch (response.kind) {
      case "object":
        return context.json(response.object, response.status as 200);
      case "watch":
        return stream(lines(response.events), "application/json");
      case "bytes":
        return stream(response.bytes, response.contentType);
      case "connect":
        throw new ApiError("BadRequest", `${req.method} ${url.pathname}: connections are not made here but by the Kubernetes API itself`);
    }
  });
  return app;
}

function decodePrefix(path: string, prefix: string): string {
  return path.slice(prefix.length) || "/";
}

async function bodyOf({ req }: Context<RouteEnvironment>): Promise<unknown> {
  const text = req.method === "GET" || req.method === "HEAD" ? "" : await req.text();
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ApiError("BadRequest", "the body is not JSON", { cause });
  }
}

function stream(chunks: AsyncIterable<Uint8Array>, contentType: string): Response {
  return new Response(streamOf(chunks), { headers: { "content-type": contentType, "cache-control": "no-store" } });
}

async function* lines(events: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const event of events) yield encoder.encode(`${JSON.stringify(event)}\n`);
}
