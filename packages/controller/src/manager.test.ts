import { TerminalError } from "@sluice/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { defineIndex } from "./cache.ts";
import { defineController, type Controller } from "./controller.ts";
import { FakeApi, PARTS, THINGS } from "./fake-client.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { runManager } from "./manager.ts";

async function start(api: FakeApi, ...controllers: Controller[]): Promise<FakeClock> {
  const clock = new FakeClock();
  const stop = new AbortController();
  const running = runManager({ client: api.client, controllers, clock, signal: stop.signal });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  await settle();
  return clock;
}

test("an owned object reconciles its controller, and controllers share reflectors", async () => {
  const api = new FakeApi();
  api.put(THINGS, "a");
  const seen: string[] = [];
  const controller = (name: string): Controller =>
    defineController({
      name,
      for: THINGS,
      owns: [PARTS],
      when: (before) => before === undefined,
      async reconcile(key, { cache }) {
        seen.push(`${name} ${key.namespace}/${key.name} ${cache.byIndex(PARTS, "owner", "a").length}`);
      },
    });
  await start(api, controller("one"), controller("two"));
  api.put(THINGS, "a");
  api.put(PARTS, "p", { ownerReferences: [{ apiVersion: "test/v1", kind: "Thing", name: "a", uid: "a", controller: true }] });
  await settle();
  expect(seen).toEqual(["one n/a 0", "two n/a 0", "one n/a 1", "two n/a 1"]);
  expect(api.watches).toBe(2);
});

test("errors are retried with backoff, requeueAfter waits, terminal errors end it", async () => {
  const api = new FakeApi();
  api.put(THINGS, "a");
  const times: number[] = [];
  const clock = await start(
    api,
    defineController({
      name: "c",
      for: THINGS,
      async reconcile(_key, context) {
        times.push(context.clock.now());
        if (times.length <= 2) throw new Error("not yet");
        if (times.length === 3) return { requeueAfter: 100 };
        if (times.length === 4) throw new Error("again");
        throw new TerminalError("never");
      },
    }),
  );
  await clock.advance(10_000_000);
  expect(times).toEqual([0, 5, 15, 115, 120]);
});

test("a reconciler never meets a cache that is older than its own writes", async () => {
  const api = new FakeApi();
  api.put(THINGS, "a");
  const counts: number[] = [];
  await start(
    api,
    defineController({
      name: "c",
      for: THINGS,
      owns: [PARTS],
      async reconcile(_key, { cache, client }) {
        counts.push(cache.byIndex(PARTS, "owner", "a").length);
        if (cache.list(PARTS).length > 0) return;
        const ownerReferences = [{ apiVersion: "test/v1", kind: "Thing", name: "a", uid: "a", controller: true }];
        await client.create(PARTS, { apiVersion: "test/v1", kind: "Part", metadata: { name: "p", ownerReferences } });
      },
    }),
  );
  expect(counts).toEqual([0, 1]);
  api.remove(PARTS, "p");
  api.held = [];
  await settle();
  expect(counts).toEqual([0, 1, 0]);
  const late = api.held;
  api.held = undefined;
  api.put(THINGS, "a");
  await settle();
  expect(counts).toEqual([0, 1, 0]);
  for (const send of late) send();
  await settle();
  expect(counts).toEqual([0, 1, 0, 1]);
});

test("sources and indexes", async () => {
  const api = new FakeApi();
  api.put(THINGS, "a", { labels: { color: "red" } });
  api.put(THINGS, "b", { labels: { color: "blue" } });
  const seen: string[] = [];
  await start(
    api,
    defineController({
      name: "c",
      watches: [{ resource: THINGS, keys: () => [] }],
      indexes: [defineIndex(THINGS, "color", ({ metadata }) => Object.values(metadata.labels ?? {}))],
      sources: [async ({ enqueue }) => enqueue({ name: "red" })],
      async reconcile({ name }, { cache }) {
        seen.push(...cache.byIndex(THINGS, "color", name).map(({ metadata }) => metadata.name));
      },
    }),
  );
  expect(seen).toEqual(["a"]);
});
