import { expect, test } from "vitest";
import { useRest } from "./rest.fixture.ts";

const rest = useRest();
const REPORT = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri: "minio://b/report", metadata: {} };
const read = async (): Promise<string> => (await rest.send("GET", "/metrics")).text();

test("Prometheus is told of runs, tasks, steps, the cache and requests", async () => {
  rest.world.work = (pod) => (pod.metadata.name.includes("first") ? { parameters: { Output: 1 }, artifacts: [REPORT] } : {});
  await rest.reaches(await rest.run(), "SUCCEEDED");
  await rest.reaches(await rest.run(), "SUCCEEDED");
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run({ runtime_config: { parameters: { n: 2 } } });
  await expect.poll(async () => (await rest.tasks(run))["root.first"]?.["state"]).toBe("RUNNING");
  const response = await rest.send("GET", "/metrics");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/u);
  const text = await response.text();
  for (const line of [
    ...['sluice_pipelines_runs{state="SUCCEEDED"} 2', 'sluice_pipelines_runs{state="RUNNING"} 1', 'sluice_pipelines_runs{state="FAILED"} 0'],
    ...['sluice_pipelines_open_tasks{state="RUNNING"} 2', 'sluice_pipelines_tasks_total{state="CACHED"} 1'],
    ...["sluice_pipelines_cache_hits_total 1", "sluice_pipelines_cache_misses_total 1", "sluice_pipelines_step_run_seconds_count 3"],
    ...["sluice_pipelines_step_queue_seconds_count 3", 'sluice_pipelines_request_seconds_count{operation="create_run",code="2xx"} 3'],
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

test("no label grows with what is asked", async () => {
  const series = async (): Promise<number> => (await read()).split("\n").filter((line) => !line.startsWith("#")).length;
  await rest.refused("GET", "/runs/a");
  const before = await series();
  for (let index = 0; index < 20; index++) await rest.refused("GET", `/runs/${index}`);
  expect(await series()).toBe(before);
});
