import { expect, onTestFinished, test } from "vitest";
import { Store } from "./cache.ts";
import { FakeApi, THINGS } from "./fake-client.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { Reflector } from "./reflector.ts";

function start(api: FakeApi): { clock: FakeClock; store: Store; changes: string[]; reflector: Reflector<NonNullable<(typeof THINGS)["object"]>> } {
  const clock = new FakeClock();
  const store = new Store(THINGS);
  const stop = new AbortController();
  const changes: string[] = [];
  const handler = (before?: { metadata: { name: string } }, after?: { metadata: { name: string } }): void => {
    changes.push(`${before?.metadata.name ?? "-"}>${after?.metadata.name ?? "-"}`);
  };
  const reflector = new Reflector({ client: api.client, resource: THINGS, store, handler, clock, signal: stop.signal });
  const running = reflector.run();
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return { clock, store, changes, reflector };
}

test("lists every page, then follows the watch", async () => {
  const api = new FakeApi();
  for (const name of ["a", "b", "c"]) api.put(THINGS, name);
  const { store, changes, reflector } = start(api);
  await reflector.synced;
  expect(store.keys()).toEqual(["n/a", "n/b", "n/c"]);
  await settle();
  api.put(THINGS, "a", { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: "x" }] });
  api.remove(THINGS, "b");
  await settle();
  expect(changes).toEqual(["->a", "->b", "->c", "a>a", "b>-"]);
  expect(store.byIndex("owner", "x").map(({ metadata }) => metadata.name)).toEqual(["a"]);
});

test("after 410 it lists again and reports what it missed, deletions and successors included", async () => {
  const api = new FakeApi();
  for (const name of ["a", "b", "c"]) api.put(THINGS, name);
  const { clock, changes } = start(api);
  await settle();
  changes.length = 0;
  api.remove(THINGS, "a", true);
  api.put(THINGS, "b", { uid: "other" }, true);
  api.expire();
  await clock.advance(799);
  expect(changes).toEqual([]);
  await clock.advance(1);
  expect(changes).toEqual(["a>-", "b>-", "->b"]);
});

test("a list that fails is retried after 0.8 s, doubling to 30 s, forever", async () => {
  const api = new FakeApi();
  api.failing = true;
  const { clock, reflector } = start(api);
  await settle();
  for (let failures = 0; failures < 12; failures++) {
    const { lists } = api;
    await clock.advance(Math.min(800 * 2 ** failures, 30_000) - 1);
    expect(api.lists).toBe(lists);
    await clock.advance(1);
    expect(api.lists).toBe(lists + 1);
  }
  api.failing = false;
  await clock.advance(30_000);
  await reflector.synced;
});

test("where the server can, what exists comes with the watch, and no list is read", async () => {
  const api = new FakeApi();
  api.streams = true;
  for (const name of ["a", "b"]) api.put(THINGS, name);
  const { clock, store, changes, reflector } = start(api);
  await reflector.synced;
  expect(store.keys()).toEqual(["n/a", "n/b"]);
  api.put(THINGS, "c");
  await settle();
  api.remove(THINGS, "a", true);
  api.expire();
  await clock.advance(800);
  expect(changes).toEqual(["->a", "->b", "->c", "a>-"]);
  expect(api.lists).toBe(0);
  expect(api.watches).toBe(2);
});

test("a store tells when it shows a version", async () => {
  const api = new FakeApi();
  const { store, reflector } = start(api);
  await reflector.synced;
  await settle();
  const { signal } = new AbortController();
  const seen: string[] = [];
  void store.reached("10", signal).then(() => seen.push("10"));
  for (let version = 1; version < 10; version++) api.put(THINGS, "a");
  await settle();
  expect(seen).toEqual([]);
  api.put(THINGS, "a");
  await settle();
  expect(seen).toEqual(["10"]);
  await store.reached("9", signal);
});

test("a watch whose end never comes is given up, and taken up where it was", async () => {
  const api = new FakeApi();
  const { clock, changes } = start(api);
  await settle();
  expect(api.watches).toBe(1);
  await clock.advance(329_000);
  expect(api.watches).toBe(1);
  await clock.advance(1000);
  api.put(THINGS, "a");
  await settle();
  expect(changes).toEqual(["->a"]);
  expect([api.watches, api.lists]).toEqual([2, 1]);
});
