import { createPipelinesClient } from "@sluice/sdk";
import { bareProcess, bareProcesses } from "./bare-processes.ts";
import { chain, loop, timeRun } from "./no-op-pipelines.ts";
import { startServer, temporaryDirectory } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const STEPS = 200;
const WIDTH = 1000;

/** What a durable step costs over the process that it runs, and how a wide loop goes. */
export async function benchRuns(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  await using server = await startServer(directory.path);
  const client = createPipelinesClient({ host: server.url });
  await timeRun(client, chain(10));

  const bare: number[] = [];
  for (let step = 0; step < STEPS; step++) bare.push(await bareProcess());
  const steps = await timeRun(client, chain(STEPS));
  const gaps = steps.ends.slice(1).map((end, index) => end - (steps.ends[index] ?? end));
  const spawned = quantile(bare, 0.5);

  const bareWide = await bareProcesses(WIDTH);
  const wide = await timeRun(client, loop(WIDTH));
  const perSecond = (elapsed: number): string => `${((WIDTH / elapsed) * 1000).toFixed(0)}/s`;
  return [
    {
      name: `overhead of a durable step, p50 of ${STEPS}`,
      value: ms(quantile(gaps, 0.5) - spawned),
      against: `the bare process: ${ms(spawned)}`,
      aim: "≤ 25 ms",
    },
    {
      name: `overhead of a durable step, p99 of ${STEPS}`,
      value: ms(quantile(gaps, 0.99) - spawned),
      against: `the bare process, p99: ${ms(quantile(bare, 0.99))}`,
      aim: "",
    },
    {
      name: `ParallelFor of ${WIDTH}`,
      value: `${(wide.elapsed / 1000).toFixed(1)} s, ${perSecond(wide.elapsed)}`,
      against: `bare processes, 2 at a time: ${(bareWide / 1000).toFixed(1)} s, ${perSecond(bareWide)}`,
      aim: "≥ 50/s",
    },
  ];
}
