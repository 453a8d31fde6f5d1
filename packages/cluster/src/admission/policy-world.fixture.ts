import { systemClock, type Clock } from "@sluice/controller";
import type { UnknownObject } from "@sluice/kubernetes";
import { onTestFinished } from "vitest";
import { openWorld, type World } from "../api-server/world.fixture.ts";
import { openStore } from "../store/store.ts";
import { limitRanger } from "./limit-ranger.ts";
import { podSecurity } from "./pod-security.ts";
import { resourceQuota } from "./resource-quota.ts";

/** A world whose namespaces are held to limit ranges, Pod Security and quotas, until the test ends. */
export async function openPolicyWorld(options: { readonly clock?: Clock; readonly path?: string; readonly maxBytes?: number } = {}): Promise<World> {
  const { clock = systemClock, path = ":memory:", maxBytes } = options;
  const store = await openStore({ path, ...(maxBytes === undefined ? {} : { maxBytes }) });
  const logger = { info: () => {}, warn: () => {}, error: () => {} };
  const quota = resourceQuota({ store, clock, logger });
  const world = await openWorld({ store, clock, admission: [limitRanger({ store }), podSecurity({ store }), quota] });
  onTestFinished(async () => {
    quota[Symbol.dispose]();
    await world[Symbol.asyncDispose]();
  });
  return world;
}

/** A pod of one container, `c`. */
export function podObject(name: string, spec: object = {}, resources: object = {}): UnknownObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec: { containers: [{ name: "c", image: "busybox", resources }], ...spec } };
}

/** An object of a core kind in the version v1. */
export function coreObject(kind: string, name: string, content: object = {}): UnknownObject {
  return { apiVersion: "v1", kind, metadata: { name }, ...content };
}
