import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FakeClock, settle } from "./fake-clock.ts";
import { Fifo } from "./fifo.ts";
import { WorkQueue } from "./work-queue.ts";

const key = fc.constantFrom("a", "b", "c", "d");
const step = fc.oneof(
  fc.record({ do: fc.constant("add"), key, ms: fc.constant(0) }),
  fc.record({ do: fc.constant("after"), key, ms: fc.integer({ min: -1, max: 50 }) }),
  fc.record({ do: fc.constant("limited"), key, ms: fc.constant(0) }),
  fc.record({ do: fc.constant("pass"), key, ms: fc.integer({ min: 0, max: 30 }) }),
);

test("a key never runs twice at once, and every add is followed by a run that starts later", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 0, max: 20 }),
      async (steps, workers, duration) => {
        const clock = new FakeClock();
        const queue = new WorkQueue(clock);
        const { signal } = new AbortController();
        const running = new Set<string>();
        const owed = new Set<string>();
        const work = async (): Promise<void> => {
          for (let next = await queue.next(); next !== undefined; next = await queue.next()) {
            expect(running.has(next)).toBe(false);
            running.add(next);
            owed.delete(next);
            await clock.sleep(duration, signal);
            running.delete(next);
            queue.done(next);
          }
        };
        const pool = Array.from({ length: workers }, work);
        for (const { do: action, key, ms } of steps) {
          if (action === "pass") {
            await clock.advance(ms);
            continue;
          }
          owed.add(key);
          if (action === "add") queue.add(key);
          else if (action === "after") queue.addAfter(key, ms);
          else queue.addRateLimited(key);
        }
        await clock.advance(Number.MAX_SAFE_INTEGER / 2);
        expect([...owed]).toEqual([]);
        queue.close();
        await Promise.all(pool);
      },
    ),
    { numRuns: 60 },
  );
});

test("backoff doubles from 5 ms to 1000 s and starts over after forget", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue(clock);
  const delayOf = async (): Promise<number> => {
    const start = clock.now();
    queue.addRateLimited("a");
    let end = start;
    const taken = queue.next().then(() => (end = clock.now()));
    await clock.advance(2_000_000);
    await taken;
    queue.done("a");
    return end - start;
  };
  for (let failures = 0; failures < 25; failures++) expect(await delayOf()).toBe(Math.min(5 * 2 ** failures, 1_000_000));
  queue.forget("a");
  expect(await delayOf()).toBe(5);
});

test("the shortest of several delays wins, and the key comes once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 8 }), async (delays) => {
      const clock = new FakeClock();
      const queue = new WorkQueue(clock);
      for (const ms of delays) queue.addAfter("a", ms);
      const seen: number[] = [];
      const worker = (async (): Promise<void> => {
        for (let next = await queue.next(); next !== undefined; next = await queue.next()) {
          seen.push(clock.now());
          queue.done(next);
        }
      })();
      await clock.advance(2000);
      expect(seen).toEqual([Math.min(...delays)]);
      queue.close();
      await worker;
    }),
    { numRuns: 50 },
  );
});

test("a key added while it runs waits for done", async () => {
  const queue = new WorkQueue(new FakeClock());
  queue.add("a");
  queue.add("a");
  expect(await queue.next()).toBe("a");
  queue.add("a");
  let again: string | undefined;
  void queue.next().then((next) => (again = next));
  await settle();
  expect(again).toBeUndefined();
  queue.done("a");
  await settle();
  expect(again).toBe("a");
});

test("close sends waiting and later workers home", async () => {
  const queue = new WorkQueue(new FakeClock());
  const waiting = queue.next();
  queue.close();
  queue.add("a");
  expect(await waiting).toBeUndefined();
  expect(await queue.next()).toBeUndefined();
});

test("a fifo behaves like an array", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 1, max: 3000 })), { maxLength: 30 }), (batches) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const batch of batches) {
        for (let item = 0; item < (batch ?? 0); item++) {
          fifo.push(item);
          model.push(item);
        }
        for (let taken = 0; taken < 1500; taken++) if (fifo.shift() !== model.shift()) throw new Error("order differs");
        expect(fifo.size).toBe(model.length);
      }
    }),
    { numRuns: 30 },
  );
});
