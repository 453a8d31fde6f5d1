import { randomUUID } from "node:crypto";
import { createClient, type ApiResponse, type Client, type UserInfo } from "@sluice/client";
import { systemClock } from "@sluice/controller";
import { ApiError, builtinResources, type UnknownObject } from "@sluice/kubernetes";
import { openStore, type Store } from "../store/store.ts";
import type { ApiServer } from "./api-server.ts";
import type { ApiServerOptions } from "./api-server-options.ts";
import { createApiServer } from "./create-api-server.ts";

/** What a request of a scenario may carry. */
interface Sent {
  readonly query?: Record<string, string>;
  readonly body?: unknown;
  readonly bodyText?: string;
  readonly contentType?: string;
  readonly as?: UserInfo;
}

/** An API server over a store in memory, and short ways to speak to it. */
export interface World extends AsyncDisposable {
  readonly store: Store;
  readonly api: ApiServer;
  readonly client: Client;
  /** The object that a request answers with. */
  send(method: string, path: string, options?: Sent): Promise<UnknownObject>;
  /** All of what a request answers with. */
  respond(method: string, path: string, options?: Sent): Promise<Extract<ApiResponse, { kind: "object" }>>;
  /** The error that a request ends in. */
  refusal(method: string, path: string, options?: Sent): Promise<ApiError>;
  /** A server-side apply. */
  apply(path: string, body: object, manager: string, query?: Record<string, string>): Promise<UnknownObject>;
}

const admin: UserInfo = { username: "admin", groups: ["system:masters"] };

/** Opens a world in memory. */
export async function openWorld(options: Partial<ApiServerOptions> = {}): Promise<World> {
  const store = options.store ?? (await openStore({ path: ":memory:" }));
  const api = await createApiServer({
    store,
    resources: builtinResources,
    authorizer: { authorize: () => ({ allowed: true, reason: "" }) },
    authenticate: async () => admin,
    nodes: () => undefined,
    clock: systemClock,
    newId: randomUUID,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    ...options,
  });
  const respond: World["respond"] = async (method, path, { as = admin, query = {}, ...rest } = {}) => {
    const response = await api.send({ method, path, query, ...rest }, as);
    if (response.kind !== "object") throw new Error(`${method} ${path} answered with ${response.kind}`);
    return response;
  };
  const send: World["send"] = async (...request) => (await respond(...request)).object;
  return {
    store,
    api,
    client: createClient(api.transport(admin)),
    send,
    respond,
    refusal: async (method, path, sent) => {
      try {
        await api.send({ method, path, query: {}, ...sent }, sent?.as ?? admin);
      } catch (error) {
        if (error instanceof ApiError) return error;
        throw error;
      }
      throw new Error(`${method} ${path} was not refused`);
    },
    apply: (path, body, manager, query = {}) =>
      send("PATCH", path, { contentType: "application/apply-patch+yaml", query: { fieldManager: manager, ...query }, body }),
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await store.close();
    },
  };
}
