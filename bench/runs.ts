import { container, createPipelinesClient, forEach, isFinished, number, pipeline, type Pipeline, type Task } from "@sluice/sdk";
import { bareProcess, bareProcesses, NOTHING } from "./bare-processes.ts";
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

/** Steps one after the other that do nothing. */
function chain(steps: number): Pipeline {
  const step = container({ name: "step", image: "busybox", command: NOTHING, inputs: {}, outputs: {} });
  return pipeline({ name: `chain-of-${steps}`, inputs: {} }, () => {
    let last: Task<Record<string, never>> | undefined;
    for (let index = 0; index < steps; index++) last = step({}, { cache: false, ...(last === undefined ? {} : { after: [last] }) });
  });
}

/** Iterations side by side that do nothing. */
function loop(width: number): Pipeline {
  const step = container({ name: "step", image: "busybox", command: NOTHING, inputs: { index: number() }, outputs: {} });
  return pipeline({ name: `loop-of-${width}`, inputs: {} }, () => {
    forEach(
      Array.from({ length: width }, (_, index) => index),
      (index) => void step({ index }, { cache: false }),
    );
  });
}

/** Runs a pipeline to its end; `ends` are the times at which a client saw each step end. */
async function timeRun(
  client: ReturnType<typeof createPipelinesClient>,
  what: Pipeline,
): Promise<{ readonly elapsed: number; readonly ends: readonly number[] }> {
  const started = performance.now();
  const { run_id: id } = await client.submit({ pipeline: what });
  const ends: number[] = [];
  for await (const { run, changed } of client.follow(id)) {
    for (const task of changed) if (task.type === "RUNTIME" && task.state === "SUCCEEDED") ends.push(performance.now());
    if (isFinished(run) && run.state !== "SUCCEEDED") throw new Error(`the run ended ${run.state}: ${run.error?.message ?? ""}`);
  }
  return { elapsed: performance.now() - started, ends };
}
