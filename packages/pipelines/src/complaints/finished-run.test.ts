import { afterEach, beforeEach, expect, test } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

test("argo #16294 hours after a run had ended, a step of it ran again, for the controller had seen an old state of it", async () => {
  trial.work = (name) => (name === "first" ? { parameters: { Output: 1 } } : {});
  const id = await trial.start(CHAIN, { n: 1 });
  await trial.ends(id, "SUCCEEDED");
  const pods = trial.world.pods();
  expect(pods).toHaveLength(2);
  const replay = (): void => {
    for (const pod of pods) {
      trial.world.runner.observe({ ...pod, status: { phase: "Pending" } });
      trial.world.runner.observe({ ...pod, status: { phase: "Running" } });
      trial.world.runner.observe({ ...pod, status: { phase: "Failed" } });
      trial.world.runner.vanished(pod.metadata.namespace, pod.metadata.name);
    }
  };
  replay();
  trial.world.objects.clear();
  replay();
  await trial.world.boot();
  replay();
  // Whatever that had started would be there before what is asked for after it.
  await trial.ends(await trial.start(CHAIN, { n: 2 }), "SUCCEEDED");
  expect(trial.world.created).toHaveLength(4);
  expect(statesOf(await trial.run(id))).toEqual({ root: { SUCCEEDED: 1 }, first: { SUCCEEDED: 1 }, second: { SUCCEEDED: 1 } });
});
