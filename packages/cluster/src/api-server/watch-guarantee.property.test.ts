import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHttpsTransport, type Transport } from "@sluice/client";
import { FakeClock, settle } from "@sluice/controller/fake-clock";
import type { UnknownObject } from "@sluice/kubernetes";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { StoreEvent } from "../store/history.ts";
import { Log } from "../store/log.ts";
import { serveWorld } from "../http/serve-world.fixture.ts";
import { openStore, Store } from "../store/store.ts";
import { Follower, type Selection } from "./follower.fixture.ts";
import { openWorld, type World } from "./world.fixture.ts";

const HISTORY = 25;
const MINUTE_MS = 60_000;
const PLURALS = ["configmaps", "secrets"] as const;
const KINDS = { configmaps: "ConfigMap", secrets: "Secret" } as const;
const NAMESPACES = ["default", "kube-public"] as const;
const directory = mkdtempSync(join(tmpdir(), "sluice-watch-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;

/** What happens in a scenario, to the objects, the clients or the server. */
type Step =
  | {
      readonly do: "write";
      readonly plural: (typeof PLURALS)[number];
      readonly namespace: string;
      readonly name: string;
      readonly label: string;
      readonly times: number;
      readonly waits: boolean;
    }
  | { readonly do: "delete"; readonly plural: (typeof PLURALS)[number]; readonly namespace: string; readonly name: string }
  | { readonly do: "connect" | "disconnect" | "pause" | "resume"; readonly follower: number }
  | { readonly do: "minute" }
  | { readonly do: "turns"; readonly turns: number }
  | { readonly do: "restart" };

const plural = fc.constantFrom(...PLURALS);
const namespace = fc.constantFrom(...NAMESPACES);
const name = fc.constantFrom("a", "b", "c");
const follower = fc.nat(9);
const write = fc.record({
  do: fc.constant("write" as const),
  ...{ plural, namespace, name },
  label: fc.constantFrom("x", "y", ""),
  times: fc.constantFrom(1, 1, 1, 3, 3, HISTORY + 5),
  waits: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("delete" as const), plural, namespace, name }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom("connect" as const, "disconnect" as const, "pause" as const, "resume" as const), follower }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "minute" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("turns" as const), turns: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);
const selection: fc.Arbitrary<Selection> = fc.record({
  plural,
  namespace: fc.option(namespace, { nil: undefined }),
  label: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
});
const scenario = fc.record({
  followers: fc.array(fc.record({ selection, from: fc.double({ min: 0, max: 1, noNaN: true }) }), { minLength: 3, maxLength: 8 }),
  steps: fc.array(step, { minLength: 5, maxLength: 60 }),
});

/** A server on a store that outlives it. */
interface Home extends AsyncDisposable {
  readonly world: World;
  readonly transport: Transport;
}

/** Plays a scenario and throws unless every follower has heard of every change, once and in order; returns how often one had to list anew. */
async function play(
  { followers: wanted, steps }: typeof scenario extends fc.Arbitrary<infer T> ? T : never,
  open: (clock: FakeClock) => Promise<Home>,
): Promise<number> {
  const clock = new FakeClock();
  const history: StoreEvent[] = [];
  const record = (home: Home): Home => {
    for (const resource of PLURALS) home.world.store.onChange(resource, (event) => void history.push(event));
    return home;
  };
  let home = record(await open(clock));
  const start = home.world.store.revision;
  // A follower begins at any revision since.
  const followers: Follower[] = [];
  const at = (number: number): Follower => {
    const index = number % wanted.length;
    const { selection: chosen, from } = wanted[index]!;
    return (followers[index] ??= new Follower(history, chosen, start + Math.round(from * (home.world.store.revision - start))));
  };
  const pending: Promise<unknown>[] = [];
  const put = (of: (typeof PLURALS)[number], where: string, what: string, label: string, value: number): Promise<unknown> =>
    home.world.store.write(of, { namespace: where, name: what }, () => thing(of, where, what, label, value));
  let value = 0;
  for (const one of steps) {
    switch (one.do) {
      case "write":
        for (let time = 0; time < one.times; time++) {
          pending.push(put(one.plural, one.namespace, one.name, one.label, value++));
          if (one.waits) await pending.at(-1);
        }
        break;
      case "delete":
        pending.push(home.world.store.write(one.plural, one, () => undefined));
        break;
      case "connect":
        at(one.follower).connect(home.transport);
        break;
      case "disconnect":
        await at(one.follower).disconnect();
        break;
      case "pause":
      case "resume":
        at(one.follower)[one.do]();
        break;
      case "minute":
        // Without waiting for anybody: a bookmark may be due while a change is on its way.
        void clock.advance(MINUTE_MS);
        break;
      case "turns":
        for (let turn = 0; turn < one.turns; turn++) await settle();
        break;
      case "restart":
        await Promise.all(pending);
        for (const each of followers) await each?.disconnect();
        await home[Symbol.asyncDispose]();
        home = record(await open(clock));
    }
  }
  await Promise.all(pending);
  // The last changes concern everybody.
  for (const of of PLURALS) for (const where of NAMESPACES) for (const label of ["x", "y"]) await put(of, where, `end-${label}`, label, value++);
  for (const [index, { selection: chosen }] of wanted.entries()) {
    const each = at(index);
    each.resume();
    each.connect(home.transport);
    const end = history.findLast(
      ({ resource, object: { metadata } }) =>
        resource === chosen.plural &&
        (chosen.namespace === undefined || metadata.namespace === chosen.namespace) &&
        (chosen.label === undefined || metadata.labels?.["l"] === chosen.label),
    );
    await each.reach(end?.revision ?? 0);
    await each.disconnect();
  }
  await home[Symbol.asyncDispose]();
  return followers.reduce((sum, { expirations }) => sum + expirations, 0);
}

function thing(of: (typeof PLURALS)[number], where: string, what: string, label: string, value: number): UnknownObject {
  const metadata = { namespace: where, name: what, ...(label === "" ? {} : { labels: { l: label } }) };
  return { apiVersion: "v1", kind: KINDS[of], metadata, data: { value: Buffer.from(String(value)).toString("base64") } };
}

test("a watch tells every change once and in order, or says that it cannot", { timeout: 60_000 }, async () => {
  let expirations = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      const path = join(directory, `${files++}.db`);
      expirations += await play(one, async (clock) => {
        const store = new Store(new Log(path), { historySize: HISTORY });
        await store.load();
        const world = await openWorld({ store, clock });
        const transport = world.api.transport({ username: "admin", groups: ["system:masters"] });
        return { world, transport, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
      });
    }),
    { numRuns: 60 },
  );
  expect(expirations).toBeGreaterThan(0);
});

test("so does one over HTTPS, on a store with a thread", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      const path = join(directory, `${files++}.db`);
      await play(one, async (clock) => {
        const world = await openWorld({ store: await openStore({ path, historySize: HISTORY }), clock });
        const served = await serveWorld(world);
        const transport = createHttpsTransport(served.access("anybody"));
        return {
          world,
          transport,
          [Symbol.asyncDispose]: async () => {
            transport[Symbol.dispose]();
            await served[Symbol.asyncDispose]();
            await world[Symbol.asyncDispose]();
          },
        };
      });
    }),
    { numRuns: 4 },
  );
});
