import { loadPipeline, type LoadOptions } from "../load-pipeline.ts";
import { parametersOf } from "../parameters.ts";
import { connect, type ServerOptions } from "../server.ts";
import { followRun } from "./run-watch.ts";

/** What `run submit` takes. */
export interface SubmitFlags extends ServerOptions, LoadOptions {
  readonly parameter?: readonly string[];
  readonly name?: string;
  readonly experiment?: string;
  readonly pipelineRoot?: string;
  readonly cache: boolean;
  readonly watch?: boolean;
}

/** Starts a run; resolves to whether all went well as far as it looked. */
export async function submitRun(
  file: string,
  { parameter = [], name, experiment, pipelineRoot, cache, watch, pipeline: wanted, python, ...server }: SubmitFlags,
): Promise<boolean> {
  const pipeline = await loadPipeline(file, { pipeline: wanted, python });
  const client = connect(server);
  const run = await client.submit({
    pipeline,
    parameters: parametersOf(pipeline, parameter),
    ...(name === undefined ? {} : { name }),
    ...(experiment === undefined ? {} : { experiment }),
    ...(pipelineRoot === undefined ? {} : { pipelineRoot }),
    ...(cache ? {} : { caching: false }),
  });
  if (watch === true) return followRun(client, run.run_id);
  process.stdout.write(`${run.run_id}\n`);
  return true;
}
