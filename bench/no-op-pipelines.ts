import { container, type createPipelinesClient, forEach, isFinished, number, pipeline, type Pipeline, type Task } from "@sluice/sdk";
import { NOTHING } from "./bare-processes.ts";

/** How the steps of a pipeline are to run. */
export interface StepOptions {
  /** Whether they may share the results of earlier runs; not unless given. */
  readonly isCached?: boolean;
}

/** Steps one after the other that do nothing. */
export function chain(steps: number, { isCached: cache = false }: StepOptions = {}): Pipeline {
  const step = container({ name: "step", image: "busybox", command: NOTHING, inputs: { index: number() }, outputs: {} });
  return pipeline({ name: `chain-of-${steps}`, inputs: {} }, () => {
    let last: Task<Record<string, never>> | undefined;
    for (let index = 0; index < steps; index++) last = step({ index }, { cache, ...(last === undefined ? {} : { after: [last] }) });
  });
}

/** Iterations side by side that do nothing. */
export function loop(width: number, { isCached: cache = false }: StepOptions = {}): Pipeline {
  const step = container({ name: "step", image: "busybox", command: NOTHING, inputs: { index: number() }, outputs: {} });
  return pipeline({ name: `loop-of-${width}`, inputs: {} }, () => {
    forEach(
      Array.from({ length: width }, (_, index) => index),
      (index) => void step({ index }, { cache }),
    );
  });
}

/** Runs a pipeline to its end; `ends` are the times at which a client saw each step end. */
export async function timeRun(
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
