import { createClient, createHttpsTransport, loadKubeconfig, type Client } from "@sluice/client";
import { Pod } from "@sluice/kubernetes";
import { bareProcesses } from "./bare-processes.ts";
import { startServer, temporaryDirectory } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const STARTS = 50;
const PODS = 1000;
const NAMESPACE = "default";

/** How soon a pod runs after its creation, and how fast pods come and go that do nothing. */
export async function benchPods(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path);
  using transport = createHttpsTransport(await loadKubeconfig(server.kubeconfig));
  const client = createClient(transport);
  const times: number[] = [];
  for (let index = 0; index < STARTS; index++) {
    const started = performance.now();
    await until(client, [`start-${index}`], ["sleep", "1000"], "Running");
    times.push(performance.now() - started);
    await client.delete(Pod, { namespace: NAMESPACE, name: `start-${index}` }, { gracePeriodSeconds: 0 });
  }
  const bare = await bareProcesses(PODS);
  const started = performance.now();
  await until(
    client,
    Array.from({ length: PODS }, (_, index) => `noop-${index}`),
    ["true"],
    "Succeeded",
  );
  const elapsed = performance.now() - started;
  const perSecond = (took: number): string => `${((PODS / took) * 1000).toFixed(0)}/s`;
  return [
    {
      name: "pod create to Running, p50 and p99",
      value: `${ms(quantile(times, 0.5))}, ${ms(quantile(times, 0.99))}`,
      against: `a bare process: ${ms(bare / PODS)}`,
      aim: "p50 ≤ 150 ms",
    },
    { name: `${PODS} pods that do nothing`, value: perSecond(elapsed), against: `bare processes, 2 at a time: ${perSecond(bare)}`, aim: "≥ 50/s" },
  ];
}

/** Creates pods and returns once each has been seen in a phase. */
async function until(client: Client, names: readonly string[], command: readonly string[], phase: string): Promise<void> {
  const missing = new Set(names);
  const stop = new AbortController();
  const { metadata } = await client.list(Pod, { namespace: NAMESPACE, limit: 1 });
  const seen = (async () => {
    for await (const event of client.watch(Pod, { namespace: NAMESPACE, resourceVersion: metadata.resourceVersion, signal: stop.signal })) {
      if (event.type === "ERROR") throw new Error(event.object.message);
      const {
        metadata: { name },
        status,
      } = event.object;
      if (status?.phase === "Failed") throw new Error(`the pod ${name} failed: ${status.message ?? ""}`);
      if (status?.phase === phase) missing.delete(name);
      if (missing.size === 0) return;
    }
  })();
  await Promise.all(
    names.map((name) =>
      client.create(Pod, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: NAMESPACE, name },
        spec: { restartPolicy: "Never", terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "busybox", command: [...command] }] },
      }),
    ),
  );
  await seen;
  stop.abort();
}
