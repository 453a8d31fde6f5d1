import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isApiError, UserError, type UnknownObject } from "@sluice/kubernetes";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { StoreEvent, StoreWatch } from "./history.ts";
import { Log } from "./log.ts";
import { openStore, Store } from "./store.ts";

const THINGS = "example.com/things";
const directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
const fixture = fileURLToPath(new URL("./crash.fixture.ts", import.meta.url));
let files = 0;
const newPath = (): string => join(directory, `${files++}`, "store.db");
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function thing(name: string, value: unknown = 0, namespace = "a"): UnknownObject {
  return { apiVersion: "example.com/v1", kind: "Thing", metadata: { name, namespace }, value };
}

function put(store: Store, name: string, value: unknown = 0, namespace = "a"): Promise<UnknownObject | undefined> {
  return store.write(THINGS, { namespace, name }, () => thing(name, value, namespace));
}

async function take(watch: StoreWatch, count: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  while (events.length < count) {
    const { value } = await watch.next();
    if (value === undefined) break;
    events.push(value);
  }
  return events;
}

const names = (store: Store, namespace?: string): string[] => store.list(THINGS, { namespace }).items.map(({ metadata }) => metadata.name);

describe("writes", () => {
  test("of a turn see each other, and nobody else sees them before the commit", async () => {
    await using store = await openStore({ path: ":memory:" });
    const increment = (current?: UnknownObject): UnknownObject => thing("x", Number(current?.["value"] ?? 0) + 1);
    const writes = Array.from({ length: 50 }, () => store.write(THINGS, { namespace: "a", name: "x" }, increment));
    expect(store.get(THINGS, { namespace: "a", name: "x" })).toBeUndefined();
    const versions = (await Promise.all(writes)).map((object) => Number(object?.metadata.resourceVersion));
    expect(versions).toEqual(versions.map((_, index) => index + 2));
    expect(store.get(THINGS, { namespace: "a", name: "x" })).toMatchObject({
      value: 50,
      metadata: { resourceVersion: "51" },
    });
  });

  test("are told to listeners as they become visible, before whoever waits for them goes on", async () => {
    await using store = await openStore({ path: ":memory:" });
    const heard: unknown[] = [];
    const stop = store.onChange(THINGS, ({ type, object, previous }) =>
      heard.push([type, object["value"], previous?.["value"], store.get(THINGS, { namespace: "a", name: "x" })?.["value"]]),
    );
    await Promise.all([put(store, "x", 1), store.write("other", { name: "x" }, () => thing("x"))]);
    expect(heard).toEqual([["ADDED", 1, undefined, 1]]);
    await put(store, "x", 2);
    await store.write(THINGS, { namespace: "a", name: "x" }, () => undefined);
    expect(heard.slice(1)).toEqual([
      ["MODIFIED", 2, 1, 2],
      ["DELETED", 2, 2, undefined],
    ]);
    stop();
    await put(store, "x", 3);
    expect(heard.length).toBe(3);
  });

  test("that change nothing take no revision, and one that throws harms no other", async () => {
    await using store = await openStore({ path: ":memory:" });
    await put(store, "x");
    const refused = store.write(THINGS, { namespace: "a", name: "x" }, () => {
      throw new Error("no");
    });
    const same = store.write(THINGS, { namespace: "a", name: "x" }, (current) => current);
    const other = put(store, "y");
    await expect(refused).rejects.toThrow("no");
    expect((await same)?.metadata.resourceVersion).toBe("2");
    expect((await other)?.metadata.resourceVersion).toBe("3");
  });

  test("that fail to commit are all rejected, and leave no trace in memory, on disk or in watches", async () => {
    const path = newPath();
    const store = await openStore({ path, maxBytes: 100_000 });
    await put(store, "before");
    const watch = store.watch(THINGS, { from: 1 });
    const results = await Promise.allSettled([put(store, "small"), put(store, "big", "x".repeat(200_000)), put(store, "before", 1)]);
    for (const result of results) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { reason: "InternalError", message: expect.stringContaining("full") },
      });
    }
    expect(store.revision).toBe(2);
    await put(store, "after");
    expect((await take(watch, 2)).map(({ object }) => object.metadata.name)).toEqual(["before", "after"]);
    const before = store.list(THINGS);
    expect(before.items).toMatchObject([{ metadata: { name: "after", resourceVersion: "3" } }, { metadata: { name: "before" }, value: 0 }]);
    await store.close();
    await using reopened = await openStore({ path });
    expect(reopened.list(THINGS)).toEqual(before);
  });
});

test("a failed commit takes with it what was staged while it was under way", async () => {
  const path = newPath();
  await using store = await openStore({ path, maxBytes: 100_000 });
  await put(store, "x");
  const big = put(store, "big", "x".repeat(200_000));
  await setImmediate();
  const upon = store.write(THINGS, { namespace: "a", name: "big" }, (current) => current && { ...current, value: "small" });
  for (const write of await Promise.allSettled([big, upon])) expect(write).toMatchObject({ status: "rejected", reason: { reason: "InternalError" } });
  expect((await put(store, "y"))?.metadata.resourceVersion).toBe("3");
  expect(names(store)).toEqual(["x", "y"]);
});

test("lists pages in key order, by namespace", async () => {
  await using store = await openStore({ path: ":memory:" });
  await Promise.all([put(store, "c"), put(store, "a"), put(store, "b"), put(store, "z", 0, "a-b"), put(store, "y", 0, "b")]);
  expect(names(store, "a")).toEqual(["a", "b", "c"]);
  expect(names(store)).toEqual(["z", "a", "b", "c", "y"]);
  const page = store.list(THINGS, { namespace: "a", limit: 2 });
  expect(page).toMatchObject({ revision: 6, remaining: 1, continueKey: "a/b" });
  expect(store.list(THINGS, { namespace: "a", limit: 2, continueKey: "a/b" }).items.map(({ metadata }) => metadata.name)).toEqual(["c"]);
});

describe("watches", () => {
  test("all see one order, from the revision they ask for", async () => {
    await using store = await openStore({ path: ":memory:" });
    const early = store.watch(THINGS, { from: 1 });
    await Promise.all([put(store, "x", 1), put(store, "y", 1), put(store, "x", 2), put(store, "o", 1, "other")]);
    await store.write(THINGS, { namespace: "a", name: "x" }, () => undefined);
    const all = await take(early, 5);
    expect(all.map(({ type, revision }) => `${type} ${revision}`)).toEqual(["ADDED 2", "ADDED 3", "MODIFIED 4", "ADDED 5", "DELETED 6"]);
    expect(all[4]).toMatchObject({
      object: { value: 2, metadata: { resourceVersion: "6" } },
      previous: { metadata: { resourceVersion: "4" } },
    });
    expect(await take(store.watch(THINGS, { from: 3 }), 3)).toEqual(all.slice(2));
    expect(await take(store.watch(THINGS, { from: 1, namespace: "other" }), 1)).toEqual([all[3]]);
  });

  test("expire when too old or too slow, and end with the store", async () => {
    const store = await openStore({ path: ":memory:", historySize: 3 });
    const slow = store.watch(THINGS, { from: 1 });
    const live = store.watch(THINGS, { from: 1 });
    const seen = take(live, 5);
    for (const name of ["1", "2", "3", "4"]) await put(store, name);
    await expect(slow.next()).rejects.toSatisfy((error) => isApiError(error, "Expired"));
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    expect(() => store.watch(THINGS, { from: 1 })).toThrow("too old resource version");
    expect(await take(store.watch(THINGS, { from: 2 }), 3)).toHaveLength(3);
    await store.close();
    expect(await seen).toHaveLength(4);
  });
});

test("of large objects fewer changes are remembered", async () => {
  await using store = await openStore({ path: ":memory:", historyLength: 100_000 });
  const slow = store.watch(THINGS, { from: 1 });
  for (let value = 0; value < 5; value++) await put(store, "x", "x".repeat(30_000));
  await expect(slow.next()).rejects.toSatisfy((error) => isApiError(error, "Expired"));
  expect(() => store.watch(THINGS, { from: 2 })).toThrow("too old resource version");
  expect(await take(store.watch(THINGS, { from: 3 }), 3)).toHaveLength(3);
  await put(store, "huge", "x".repeat(200_000));
  expect(await take(store.watch(THINGS, { from: 6 }), 1)).toHaveLength(1);
});

test("close commits what is pending; later writes are refused", async () => {
  const path = newPath();
  const store = await openStore({ path });
  const pending = put(store, "x");
  await store.close();
  await pending;
  await expect(put(store, "y")).rejects.toMatchObject({ reason: "ServiceUnavailable" });
  await using reopened = await openStore({ path });
  expect(names(reopened)).toEqual(["x"]);
  expect((await put(reopened, "y"))?.metadata.resourceVersion).toBe("3");
  expect(() => reopened.watch(THINGS, { from: 1 })).toThrow("too old");
});

test("a second process is told who holds the store", async () => {
  const path = newPath();
  await using _store = await openStore({ path });
  await expect(openStore({ path })).rejects.toBeInstanceOf(UserError);
  const { stderr, status } = spawnSync(process.execPath, [fixture, path], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toContain(`is in use by process ${process.pid}`);
  expect(stderr).toContain(`kill ${process.pid}`);
});

// Without threads, each of which takes longer to start than all the rest of a run.
test("memory equals what is reopened", async () => {
  const operation = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    namespace: fc.constantFrom("", "n", "n-1"),
    value: fc.option(fc.jsonValue(), { nil: undefined }),
    pause: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const path = newPath();
      const store = new Store(new Log(path));
      for (const { name, namespace, value, pause } of operations) {
        const write = store.write(THINGS, { namespace, name }, () => (value === undefined ? undefined : thing(name, value, namespace)));
        if (pause) await write;
      }
      await store.close();
      await using reopened = new Store(new Log(path));
      await reopened.load();
      expect(reopened.list(THINGS)).toEqual(store.list(THINGS));
    }),
    { numRuns: 30 },
  );
});

test("every acknowledged write survives kill -9", async () => {
  const path = newPath();
  const acknowledged = new Map<string, string>();
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [fixture, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(child.stdout, "data");
    await sleep(Math.random() * 150);
    child.kill("SIGKILL");
    await once(child, "close");
    for (const line of output.split("\n").slice(0, -1)) {
      const [name = "", version = ""] = line.split(" ");
      acknowledged.set(name, version);
    }
    await using store = await openStore({ path });
    for (const [name, version] of acknowledged) {
      expect(Number(store.get("v1/things", { namespace: "a", name })?.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(version));
    }
  }
  expect(acknowledged.size).toBeGreaterThan(6);
});
