import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@sluice/client";
import type { Database } from "@sluice/database";
import type { ObjectStore } from "@sluice/object-store";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig, type Config } from "./config.ts";
import { findRunning } from "./data-directory.ts";
import type { Home } from "./home.ts";
import { startPlatform } from "./platform.ts";

let root: string;
beforeAll(async () => void (root = await mkdtemp(join(tmpdir(), "sluice-platform-"))));
afterAll(() => rm(root, { recursive: true }));

const configure = (name: string): Promise<Config> => readConfig({ dataDir: join(root, name), port: 0, apiPort: 0, components: [] }, {});

/** A home that notes in which order its parts go, for a platform without components. */
function homeOf(events: string[], failing = false): Home {
  return {
    openDatabase: async () => ({ [Symbol.asyncDispose]: async () => void events.push("database closed") }) as unknown as Database,
    openObjectStore: async () => ({ ...({} as ObjectStore), [Symbol.asyncDispose]: async () => undefined }),
    async startCluster() {
      if (failing) throw new Error("no room");
      const client = { list: async () => ({ items: [], metadata: { resourceVersion: "1" } }) } as unknown as Client;
      return {
        client: () => client,
        api: { send: async () => ({ kind: "object", status: 200, object: { apiVersion: "v1", kind: "NodeList", metadata: { name: "" } } }) },
        url: "https://127.0.0.1:6443",
        kubeconfigPath: join(root, "kubeconfig"),
        [Symbol.asyncDispose]: async () => void events.push("cluster stopped"),
      };
    },
  };
}

test("starts, says where it is, and stops in the opposite order", async () => {
  const events: string[] = [];
  const config = await configure("a");
  const platform = await startPlatform(config, { version: "1", environment: {}, home: homeOf(events) });
  expect(await (await fetch(`${platform.url}/healthz`)).json()).toEqual({ status: "ok", version: "1", components: [] });
  expect(await findRunning(config.dataDir)).toMatchObject({ pid: process.pid, url: platform.url, kubeconfig: join(root, "kubeconfig") });
  await expect(startPlatform(config, { version: "1", environment: {}, home: homeOf([]) })).rejects.toThrow(`process ${process.pid}`);
  await platform[Symbol.asyncDispose]();
  expect(events).toEqual(["cluster stopped", "database closed"]);
  expect(await findRunning(config.dataDir)).toBeUndefined();
  await expect(fetch(platform.url)).rejects.toThrow("fetch failed");
});

test("a start that fails leaves nothing running", async () => {
  const events: string[] = [];
  const config = await configure("b");
  await expect(startPlatform(config, { version: "1", environment: {}, home: homeOf(events, true) })).rejects.toThrow("no room");
  expect(events).toEqual(["database closed"]);
  const platform = await startPlatform(config, { version: "1", environment: {}, home: homeOf(events) });
  await platform[Symbol.asyncDispose]();
});

test("an unknown component is refused with those that there are", async () => {
  const config = await configure("c");
  await expect(startPlatform({ ...config, components: ["katip"] }, { version: "1", environment: {} })).rejects.toMatchObject({
    fix: expect.stringContaining("pipelines") as string,
  });
});
