import { container, finalStatus, forEach, integer, list, onExit, pipeline, string } from "@sluice/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commandOf, statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

const work = container({
  name: "work",
  image: "busybox",
  command: ({ inputs }) => ["work", inputs.item],
  inputs: { item: string() },
  outputs: { size: integer() },
});
const follow = container({ name: "follow", image: "busybox", command: ["follow"], inputs: { size: integer() }, outputs: {} });
const leave = container({
  ...{ name: "leave", image: "busybox", command: ({ executorInput }: { readonly executorInput: string }) => ["leave", executorInput] },
  inputs: { status: finalStatus() },
  outputs: {},
});
const guarded = pipeline({ name: "guarded", inputs: { items: list(string()) } }, ({ items }) => {
  onExit(leave({}), () => forEach(items, (item) => work({ item })));
});
const told = (): unknown =>
  (JSON.parse(trial.commandsOf("leave")[0]?.[1] ?? "{}") as { readonly inputs?: { readonly parameterValues?: { readonly status?: unknown } } }).inputs
    ?.parameterValues?.status;

test("#12131 a loop of many iterations, and what is around it, stayed Running for ever after some of them", async () => {
  const items = Array.from({ length: 300 }, (_, index) => `item ${index}`);
  trial.work = () => ({ parameters: { size: 1 } });
  const many = pipeline({ name: "many", inputs: { items: list(string()) } }, ({ items: given }) => {
    forEach(given, (item) => void follow({ size: work({ item }).outputs.size }, { cache: false }), { parallelism: 10 });
  });
  const done = await trial.ends(await trial.start(many, { items }), "SUCCEEDED");
  expect(statesOf(done)).toEqual({ root: { SUCCEEDED: 1 }, "for-loop-1": { SUCCEEDED: 301 }, work: { SUCCEEDED: 300 }, follow: { SUCCEEDED: 300 } });
});

test("#12390 a loop within an exit handler failed the pipeline without a word", async () => {
  trial.work = () => ({ parameters: { size: 1 } });
  const done = await trial.ends(await trial.start(guarded, { items: ["A", "B"] }), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ work: { SUCCEEDED: 2 }, leave: { SUCCEEDED: 1 } });
  expect(trial.commandsOf("work")).toEqual([
    ["work", "A"],
    ["work", "B"],
  ]);
  expect(told()).toMatchObject({ state: "COMPLETE", error: {} });
});

test("#13321 an exit handler was told RUNNING where a task in a loop had failed", async () => {
  trial.work = (name, pod) => (name === "work" && commandOf(pod)[1] === "B" ? { exitCode: 1, log: "no such B" } : { parameters: { size: 1 } });
  const done = await trial.ends(await trial.start(guarded, { items: ["A", "B", "C"] }), "FAILED");
  expect(statesOf(done)).toMatchObject({ "for-loop-1": { SUCCEEDED: 2, FAILED: 2 }, "exit-handler-1": { FAILED: 1 }, leave: { SUCCEEDED: 1 } });
  expect(told()).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining("no such B") } });
});
