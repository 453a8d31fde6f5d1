import { randomUUID } from "node:crypto";
import type { UserInfo } from "@sluice/client";
import { systemClock, type Clock } from "@sluice/controller";
import { builtinResources, type Resource } from "@sluice/kubernetes";
import { admitConnect, type ConnectOptions } from "../api-server/admit.ts";
import type { ApiServerOptions } from "../api-server/api-server-options.ts";
import { Registry } from "../api-server/registry.ts";
import { RequestNotes } from "../api-server/request-notes.ts";
import { openWorld, type World } from "../api-server/world.fixture.ts";
import { RbacAuthorizer } from "../auth/rbac-authorizer.ts";
import { openStore } from "../store/store.ts";
import type { AdmissionNotes, AdmissionPlugin } from "./admission.ts";
import { PolicyAdmission } from "./policies/policy-admission.ts";
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
export async function openAdmissionWorld(options: { readonly annotate?: AdmissionNotes["annotate"] } = {}): Promise<AdmissionWorld> {
  const stack = new AsyncDisposableStack();
  const store = await openStore({ path: ":memory:" });
  const authorizer = stack.use(new RbacAuthorizer(store));
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const judging = { store, authorizer, resources: (): readonly Resource[] => world.api.resources(), clock: hasty, newId: randomUUID, logger };
  const webhooks = stack.use(webhookAdmission(judging));
  const policies = stack.use(new PolicyAdmission(judging));
  const listening = (plugin: AdmissionPlugin): AdmissionPlugin => ({
    ...plugin,
    name: plugin.name,
    handles: (request) => plugin.handles(request),
    validate: (request, notes) =>
      plugin.validate?.(request, {
        warn: (message) => notes.warn(message),
        annotate: (key, value) => {
          notes.annotate(key, value);
          options.annotate?.(key, value);
        },
      }),
  });
  const admission = [webhooks.mutating, listening(policies), listening(webhooks.validating)];
  const user: UserInfo = { username: "admin", groups: ["system:masters"] };
  const serving: ApiServerOptions = {
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
  const world: World = stack.use(await openWorld(serving));
  const registry = new Registry();
  for (const resource of builtinResources) registry.addBuiltIn(resource, {}, undefined);
  return {
    ...world,
    connect: (name, subresource, connection) => {
      const served = registry.find("", "v1", "pods");
      if (served === undefined) throw new Error("pods are not served");
      const request = { method: "POST", path: `/api/v1/namespaces/default/pods/${name}/${subresource}`, query: {} };
      const server = { options: serving, store, registry };
      return admitConnect(
        { server, served, request, user, namespace: "default", name, subresource, admission, notes: new RequestNotes() },
        connection,
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
