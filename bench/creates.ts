import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createClient, createHttpsTransport, loadKubeconfig, type Client } from "@sluice/client";
import { ConfigMap } from "@sluice/kubernetes";
import { startServer, temporaryDirectory } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const CLIENTS = 32;
const OBJECTS = 8000;
const BYTES = 2048;

/** Creates of 2 KB objects by concurrent clients over TLS, each on disk before it is answered. */
export async function benchCreates(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path);
  using transport = createHttpsTransport(await loadKubeconfig(server.kubeconfig));
  const client = createClient(transport);
  await createMany(client, "warm", 1000);
  const started = performance.now();
  const times = await createMany(client, "bench", OBJECTS);
  const elapsed = performance.now() - started;
  const flush = flushTimes(directory.path);
  return [
    {
      name: `creates/s, ${CLIENTS} clients, TLS`,
      value: `${((OBJECTS / elapsed) * 1000).toFixed(0)}/s`,
      against: `single flushes: ${(1000 / quantile(flush, 0.5)).toFixed(0)}/s`,
      aim: "≥ 3000/s",
    },
    {
      name: "create, p50 and p99",
      value: `${ms(quantile(times, 0.5))}, ${ms(quantile(times, 0.99))}`,
      against: `one flush: ${ms(quantile(flush, 0.5))}, ${ms(quantile(flush, 0.99))}`,
      aim: "p99 ≤ 25 ms",
    },
  ];
}

async function createMany(client: Client, prefix: string, count: number): Promise<number[]> {
  const data = { payload: "x".repeat(BYTES) };
  const times: number[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) {
      const started = performance.now();
      await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `${prefix}-${index}`, namespace: "default" }, data });
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, work));
  return times;
}

/** How long this disk takes to keep 2 KB. */
function flushTimes(directory: string): number[] {
  const file = openSync(join(directory, "flush"), "w");
  const bytes = Buffer.alloc(BYTES);
  const times = Array.from({ length: 200 }, () => {
    const started = performance.now();
    writeSync(file, bytes);
    fdatasyncSync(file);
    return performance.now() - started;
  });
  closeSync(file);
  return times;
}
