import type { Client } from "@sluice/client";
import { isApiError, pathOf, TerminalError, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import { keyOf, parseKey, Stores } from "./cache.ts";
import type { Clock } from "./clock.ts";
import type { Controller, Logger, ReconcileContext } from "./controller.ts";
import { createEventRecorder } from "./event-recorder.ts";
import { Reflector, type ChangeHandler } from "./reflector.ts";
import { WorkQueue } from "./work-queue.ts";
import { Writes } from "./writes.ts";

/** What a manager runs, and with what. */
export interface ManagerOptions {
  readonly client: Client;
  readonly controllers: readonly Controller[];
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly signal: AbortSignal;
}

const SILENT: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Runs controllers over one shared cache until the signal aborts and the last reconciliation has returned. */
export async function runManager({ client, controllers, clock, logger = SILENT, signal }: ManagerOptions): Promise<void> {
  const cache = new Stores(controllers.flatMap(({ indexes = [] }) => indexes));
  const handlers = new Map<string, { readonly resource: Resource<KubernetesObject>; readonly list: ChangeHandler[] }>();
  const on = (resource: Resource<KubernetesObject>, handler: ChangeHandler): void => {
    const entry = handlers.get(pathOf(resource)) ?? { resource, list: [] };
    entry.list.push(handler);
    handlers.set(pathOf(resource), entry);
  };
  const loops = controllers.map((controller): Loop => {
    const events = createEventRecorder({ client, clock, component: controller.name, signal });
    return { controller, queue: new WorkQueue(clock), cache, context: { client, cache, events, clock, logger, signal } };
  });
  for (const { controller, queue } of loops) subscribe(controller, queue, cache, on);

  const reflectors = [...handlers.values()].map(({ resource, list }) => {
    const failed = (error: unknown): void => logger.warn("a watch failed and will be tried again", { resource: resource.plural, error });
    const handler: ChangeHandler = (before, after) => {
      for (const handle of list) {
        try {
          handle(before, after);
        } catch (error) {
          logger.error("change handler failed", { resource: resource.plural, error });
        }
      }
    };
    return new Reflector({ client, resource, store: cache.of(resource), handler, clock, signal, onError: failed });
  });
  const close = (): void => loops.forEach(({ queue }) => queue.close());
  if (signal.aborted) close();
  signal.addEventListener("abort", close, { once: true });
  const running = reflectors.map((reflector) => reflector.run());
  await Promise.all(reflectors.map(({ synced }) => synced));
  const workers = loops.flatMap((loop) => Array.from({ length: loop.controller.concurrency ?? 1 }, () => work(loop)));
  const sources = loops.flatMap(({ controller, queue, context }) =>
    (controller.sources ?? []).map((source) => source({ ...context, enqueue: (key) => queue.add(keyOf(key)) })),
  );
  await Promise.all([...running, ...workers, ...sources]);
}

/** A controller at work. */
interface Loop {
  readonly controller: Controller;
  readonly queue: WorkQueue;
  readonly cache: Stores;
  readonly context: ReconcileContext;
}

/** Turns changes of the resources that a controller names into keys of its queue. */
function subscribe(
  controller: Controller,
  queue: WorkQueue,
  cache: Stores,
  on: (resource: Resource<KubernetesObject>, handler: ChangeHandler) => void,
): void {
  const both = (keys: (object: KubernetesObject) => readonly ObjectKey[]): ChangeHandler => {
    return (before, after) => {
      for (const object of [before, after]) if (object !== undefined) for (const key of keys(object)) queue.add(keyOf(key));
    };
  };
  const { for: own } = controller;
  if (own !== undefined) {
    on(own, (before, after) => {
      const object = after ?? before;
      if (object !== undefined && (controller.when?.(before, after) ?? true)) queue.add(keyOf(object.metadata));
    });
    for (const resource of controller.owns ?? [])
      on(
        resource,
        both((object) => controllersOf(object, own)),
      );
  }
  for (const watch of controller.watches ?? [])
    on(
      watch.resource,
      both((object) => watch.keys(object, cache)),
    );
}

/** The key of the object of kind `resource` that controls `object`, if one does. */
function controllersOf({ metadata }: KubernetesObject, resource: Resource<KubernetesObject>): ObjectKey[] {
  return (metadata.ownerReferences ?? [])
    .filter((owner) => owner.controller === true && owner.kind === resource.kind && groupOf(owner.apiVersion) === resource.group)
    .map(({ name }) => (resource.scope === "Cluster" ? { name } : { namespace: metadata.namespace, name }));
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}

async function work({ controller, queue, cache, context }: Loop): Promise<void> {
  for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
    const writes = new Writes(context.client);
    try {
      const result = await controller.reconcile(parseKey(key), { ...context, client: writes.client });
      queue.forget(key);
      if (result?.requeueAfter !== undefined) queue.addAfter(key, result.requeueAfter);
    } catch (error) {
      const log = isApiError(error, "Conflict") ? context.logger.warn : context.logger.error;
      if (!context.signal.aborted) log.call(context.logger, "reconcile failed", { controller: controller.name, key, error });
      if (error instanceof TerminalError) queue.forget(key);
      else queue.addRateLimited(key);
    } finally {
      void writes.shownIn(cache, context.signal).then(queue.done.bind(queue, key));
    }
  }
}
