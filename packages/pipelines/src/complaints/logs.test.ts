import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { Trial, type RunBody } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

/** All logs that are stored. */
const stored = (): Promise<readonly string[]> => Array.fromAsync(trial.world.objectStore.list("minio://mlpipeline"), ({ uri }) => uri);
/** The log of a task, by the API. */
async function logOf({ run_id: id, tasks }: RunBody, name: string): Promise<string> {
  const task = tasks.find((one) => one.name === name);
  return (await trial.world.app.request(`/runs/${id}/nodes/${task?.task_id}/log`)).text();
}
/** All pods are deleted, as a cluster does with those that have ended. */
function deletePods(): void {
  for (const [path, { kind }] of trial.world.objects) if (kind === "Pod") trial.world.objects.delete(path);
  trial.world.logs.clear();
}

test.each([
  ["#6033 the log of a component that had failed was gone with its pod, and with it the reason", "second"],
  ["#7617 the logs of runs that had ended could not be retrieved after a day", "first"],
])("%s", async (_complaint, name) => {
  trial.work = (task) => (task === "first" ? { parameters: { Output: 1 }, log: "what first said" } : { exitCode: 1, log: "what second said" });
  const done = await trial.ends(await trial.start(CHAIN, { n: 1 }), "FAILED");
  await vi.waitFor(async () => expect(await stored()).toHaveLength(2));
  deletePods();
  expect(await logOf(done, name)).toBe(`what ${name} said`);
  await trial.world.boot();
  expect(await logOf(done, name)).toBe(`what ${name} said`);
});

test("#10036 logs lay in the object store, and nobody was shown them among the artifacts of their step", async () => {
  trial.work = (task) => ({ parameters: task === "first" ? { Output: 1 } : {}, log: `what ${task} said` });
  const { run_id: id } = await trial.ends(await trial.start(CHAIN, { n: 1 }), "SUCCEEDED");
  await vi.waitFor(async () => expect(await stored()).toHaveLength(2));
  const uris = (await stored()).toSorted();
  expect(uris).toEqual([expect.stringMatching(/\/first\/[^/]+\/executor-logs$/u), expect.stringMatching(/\/second\/[^/]+\/executor-logs$/u)]);
  const told = JSON.stringify(await trial.run(id));
  for (const uri of uris) expect(told).toContain(JSON.stringify(uri));
});
