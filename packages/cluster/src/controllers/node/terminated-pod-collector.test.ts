import { FakeClock } from "@sluice/controller/fake-clock";
import { runManager } from "@sluice/controller";
import { Pod } from "@sluice/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { eventually, quiet, reportPod, startTestCluster } from "../control-plane.fixture.ts";
import { terminatedPodCollector } from "./terminated-pod-collector.ts";

test("of the pods that have ended only the youngest are kept", async () => {
  const clock = new FakeClock();
  const { client, errors } = await startTestCluster({ clock });
  const stop = new AbortController();
  const running = runManager({ client, controllers: [terminatedPodCollector(2)], clock, signal: stop.signal });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  const names = async (): Promise<string> => (await client.list(Pod, { namespace: "default" })).items.map(({ metadata }) => metadata.name).join(" ");
  for (const name of ["c", "b", "a", "running", "d"]) {
    const key = { namespace: "default", name };
    await client.create(Pod, { apiVersion: "v1", kind: "Pod", metadata: key, spec: { containers: [{ name: "main", image: "x" }] } });
    await reportPod(client, key, name === "running" ? "Running" : name === "b" ? "Failed" : "Succeeded");
    await clock.advance(1000);
    await quiet();
  }
  expect(await eventually(async () => (await names()) === "a d running")).toBe(true);
  expect(errors).toEqual([]);
});
