import type { Client } from "@sluice/client";
import type { Gate, RouteEnvironment } from "@sluice/component";
import type { Clock, Logger } from "@sluice/controller";
import { ApiError } from "@sluice/kubernetes";
import type { Context } from "hono";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { Runner } from "../runner/runner.ts";
import type { Page } from "../store/page.ts";
import type { Store } from "../store/store.ts";
import type { JsonObject } from "../domain/ir.ts";
import type { ListRequest } from "./list-options.ts";
import { compact } from "./wire.ts";

/** The namespace of requests that name none. */
export const DEFAULT_NAMESPACE = "kubeflow";

/** What the routes work with. */
export interface RouteOptions {
  readonly store: Store;
  readonly runner: Runner;
  readonly client: Client;
  readonly objects: ArtifactStores;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly newId: () => string;
  /** The time zone of schedules that name none. */
  readonly timeZone: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** A request's context. */
export type RouteContext = Context<RouteEnvironment>;

/** What Kubeflow's roles are about. */
type Resource = "experiments" | "jobs" | "pipelines" | "runs" | "scheduledworkflows" | "visualizations" | "workflows";

/** Asks the gate, in the words that Kubeflow's roles use. */
export async function authorize(
  { gate }: Pick<RouteOptions, "gate">,
  context: RouteContext,
  action: { readonly verb: string; readonly resource: Resource; readonly namespace: string; readonly name?: string },
): Promise<void> {
  await gate.authorize(context.get("identity"), { group: "pipelines.kubeflow.org", ...action });
}

/** The namespace that a request names, or the default one; it must be a namespace's name. */
export function namespaceOf(value: string | undefined): string {
  const namespace = value === undefined || value === "" || value === "-" ? DEFAULT_NAMESPACE : value;
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u.test(namespace))
    throw new ApiError("BadRequest", `namespace: ${JSON.stringify(namespace)} is not a namespace's name`);
  return namespace;
}

/** The row, or NotFound. */
export function found<Row>(row: Row | undefined, kind: string, id: string): Row {
  if (row === undefined) throw new ApiError("NotFound", `${kind} ${id} not found`);
  return row;
}

/** A list's answer: its items under `plural`, how many there are, and where the next page starts. */
export function listJson<Row>(plural: string, page: Page<Row>, request: ListRequest, itemJson: (row: Row, index: number) => JsonObject): JsonObject {
  return compact({ [plural]: page.rows.map(itemJson), total_size: page.total, next_page_token: request.token(page) });
}
