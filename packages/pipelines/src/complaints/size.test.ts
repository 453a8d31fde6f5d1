import { compare, container, forEach, integer, otherwise, pipeline, string, when, type Pipeline } from "@sluice/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WIDE } from "../specs.fixture.ts";
import { statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

/** The size of the largest object that the runs so far have put into the cluster. */
const largest = (): number => Math.max(...[...trial.world.objects.values()].map((object) => JSON.stringify(object).length));

/** A chain of components, each with a source of its own. */
const chain = (length: number, sourceBytes: number): Pipeline =>
  pipeline({ name: "chain", inputs: {} }, () => {
    let text = "start";
    for (let index = 0; index < length; index++) {
      const source = `${index} `.padEnd(sourceBytes, "source ");
      const step = container({
        name: `step-${index}`,
        image: "busybox",
        command: ["sh", "-c", source],
        inputs: { text: string() },
        outputs: { text: string() },
      });
      text = step({ text }, { cache: false }).outputs.text as never;
    }
  });

test("#12453 a graph of a hundred components failed with: argument list too long", async () => {
  trial.work = () => ({ parameters: { text: "x" } });
  await trial.ends(await trial.start(chain(2, 10_000)), "SUCCEEDED");
  const few = largest();
  const done = await trial.ends(await trial.start(chain(150, 10_000)), "SUCCEEDED");
  expect(done.tasks.filter(({ state }) => state === "SUCCEEDED")).toHaveLength(151);
  // A pod carries its own task and nothing of the others.
  expect(largest() - few).toBeLessThan(100);
});

test("#12642 every task had a driver's pod beside its own, and so had what needs no pod at all", async () => {
  const flip = container({ name: "flip", image: "busybox", command: ["flip"], inputs: {}, outputs: { side: integer() } });
  const say = container({ name: "say", image: "busybox", command: ["say"], inputs: {}, outputs: {} });
  trial.work = (name) => (name === "flip" ? { parameters: { side: 1 } } : {});
  const bookkeeping = pipeline({ name: "bookkeeping", inputs: {} }, () => {
    const { outputs } = flip({});
    when(compare(outputs.side, "==", 1), () => forEach([1, 2, 3], () => forEach([4, 5], () => void say({}, { cache: false }))));
    otherwise(() => void say({}));
  });
  const done = await trial.ends(await trial.start(bookkeeping), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ flip: { SUCCEEDED: 1 }, say: { SUCCEEDED: 6 } });
  expect(trial.world.created).toHaveLength(7);
  const again = await trial.ends(await trial.start(bookkeeping), "SUCCEEDED");
  expect(statesOf(again)).toMatchObject({ flip: { CACHED: 1 } });
  expect(trial.world.created).toHaveLength(13);
});

test("#4175 a loop over 2,000 items stopped with: etcdserver: request is too large", async () => {
  const items = Array.from({ length: 2000 }, (_, index) => index);
  const done = await trial.ends(await trial.start(WIDE, { items }), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ one: { SUCCEEDED: 2000 } });
  expect(largest()).toBeLessThan(16_384);
});

test("#9837 a pipeline of some megabytes could not be run: etcdserver: request is too large", async () => {
  trial.work = () => ({ parameters: { text: "x" } });
  const big = chain(40, 100_000);
  await trial.ends(await trial.start(big), "SUCCEEDED");
  expect(largest()).toBeLessThan(130_000);
});
