import { randomUUID } from "node:crypto";
import type { UserInfo } from "@sluice/client";
import { systemClock, type Clock } from "@sluice/controller";
import { builtinResources } from "@sluice/kubernetes";
import { admitConnect, type ConnectOptions } from "../api-server/admit.ts";
import type { ApiServerOptions } from "../api-server/api-server-options.ts";
import { Registry } from "../api-server/registry.ts";
import { RequestNotes } from "../api-server/request-notes.ts";
import { openWorld, type World } from "../api-server/world.fixture.ts";
import { RbacAuthorizer } from "../auth/rbac-authorizer.ts";
import { openStore } from "../store/store.ts";
import { webhookAdmission } from "./webhooks/webhook-admission.ts";

/** Time in which everything comes twenty times sooner. */
export const HASTE = 20;
const hasty: Clock = { now: () => systemClock.now(), sleep: (ms, signal) => systemClock.sleep(ms / HASTE, signal) };

/** A world whose writes go before webhooks. */
export interface AdmissionWorld extends World {
  /** What is left of a connection's options once admission has seen them. */
  connect(pod: string, subresource: string, options: ConnectOptions): Promise<ConnectOptions>;
}

/** Opens a world in which webhooks have to answer twenty times sooner. */
export async function openAdmissionWorld(): Promise<AdmissionWorld> {
  const stack = new AsyncDisposableStack();
  const store = await openStore({ path: ":memory:" });
  const authorizer = stack.use(new RbacAuthorizer(store));
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const webhooks = stack.use(
    webhookAdmission({ store, authorizer, resources: () => world.api.resources(), clock: hasty, newId: randomUUID, logger }),
  );
  const admission = [webhooks.mutating, webhooks.validating];
  const user: UserInfo = { username: "admin", groups: ["system:masters"] };
  const options: ApiServerOptions = {
    store,
    admission,
    resources: builtinResources,
    authorizer,
    authenticate: async () => user,
    nodes: () => undefined,
    clock: systemClock,
    newId: randomUUID,
    logger,
  };
  const world: World = stack.use(await openWorld(options));
  const registry = new Registry();
  for (const resource of builtinResources) registry.addBuiltIn(resource, {}, undefined);
  return {
    ...world,
    connect: (name, subresource, connection) => {
      const served = registry.find("", "v1", "pods");
      if (served === undefined) throw new Error("pods are not served");
      const request = { method: "POST", path: `/api/v1/namespaces/default/pods/${name}/${subresource}`, query: {} };
      const server = { options, store, registry };
      return admitConnect(
        { server, served, request, user, namespace: "default", name, subresource, admission, notes: new RequestNotes() },
        connection,
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
