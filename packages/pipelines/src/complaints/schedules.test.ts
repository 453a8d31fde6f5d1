import { FakeClock, settle } from "@sluice/controller/fake-clock";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { Trial } from "./trial.fixture.ts";

const START = Date.parse("2026-03-01T10:00:00Z");
let trial: Trial;
let clock: FakeClock;
beforeEach(async () => {
  clock = new FakeClock();
  clock.jump(START);
  trial = new Trial();
  trial.world.clock = clock;
  trial.work = () => ({ parameters: { Output: 1 } });
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

test("#8757 each of 125 recurring runs grew with every run that it had made, until etcd held a gigabyte of them", async () => {
  const { world } = trial;
  const body = {
    ...{ display_name: "nightly", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, max_concurrency: "10", mode: "ENABLE" },
    trigger: { periodic_schedule: { interval_second: "60" } },
  };
  const { body: created } = await world.request("POST", "/recurringruns", body);
  const id = (created as { readonly recurring_run_id: string }).recurring_run_id;
  const size = async (): Promise<number> => JSON.stringify((await world.request("GET", `/recurringruns/${id}`)).body).length;
  const runs = async (): Promise<number> =>
    ((await world.request("GET", "/runs?page_size=200")).body as { readonly total_size?: number }).total_size ?? 0;
  const before = await size();
  for (let slot = 1; slot <= 30; slot++) {
    await clock.advance(60_000);
    for (let turn = 0; turn < 40; turn++) await settle();
    await vi.waitFor(async () => expect(await runs()).toBe(slot));
  }
  expect((await size()) - before).toBeLessThan(50);
  // Nor does any object of the cluster that is not a pod hold a pipeline.
  const others = [...world.objects.values()].filter(({ kind }) => kind !== "Pod").map((object) => JSON.stringify(object));
  for (const object of others) expect(object).not.toContain("deploymentSpec");
});
