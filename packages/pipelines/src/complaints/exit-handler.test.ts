import { container, finalStatus, onExit, pipeline } from "@sluice/sdk";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

test("#6101 the exit handler crashed when the run was terminated, with: step exceeded its deadline", async () => {
  const train = container({ name: "train", image: "busybox", command: ["train"], inputs: {}, outputs: {} });
  const clean = container({
    ...{ name: "clean", image: "busybox", command: ({ executorInput }: { readonly executorInput: string }) => ["clean", executorInput] },
    inputs: { status: finalStatus() },
    outputs: {},
  });
  const guarded = pipeline({ name: "guarded", inputs: {} }, () => {
    onExit(clean({}), () => {
      const first = train({});
      train({}, { after: [first] });
    });
  });
  trial.work = (name) => ({ hangs: name === "train" });
  const id = await trial.start(guarded);
  await vi.waitFor(() => expect(trial.world.pods()).toHaveLength(1));
  expect((await trial.world.request("POST", `/runs/${id}:terminate`)).status).toBe(200);
  const done = await trial.ends(id, "CANCELED");
  expect(statesOf(done)).toMatchObject({ train: { CANCELED: 1 }, clean: { SUCCEEDED: 1 } });
  const [[, told = ""] = []] = trial.commandsOf("clean");
  expect(JSON.parse(told)).toMatchObject({ inputs: { parameterValues: { status: { state: expect.stringMatching(/^CANCELL?ED$/u) } } } });
});
