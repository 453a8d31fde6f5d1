import { loadPipeline, type LoadOptions } from "../load-pipeline.ts";
import { connect, runIdOf, type ServerOptions } from "../server.ts";
import { followRun } from "./run-watch.ts";

/** What `run retry` takes. */
export interface RetryFlags extends ServerOptions, LoadOptions {
  readonly with?: string;
  readonly watch?: boolean;
}

/** Starts again what failed in a run, as an edited pipeline if there is one; resolves to whether all went well as far as it looked. */
export async function retryRun(id: string, { with: file, watch, pipeline: wanted, python, ...server }: RetryFlags): Promise<boolean> {
  const pipeline = file === undefined ? undefined : await loadPipeline(file, { pipeline: wanted, python });
  const client = connect(server);
  const run = await runIdOf(client, id);
  await client.retry(run, pipeline === undefined ? {} : { pipeline });
  if (watch === true) return followRun(client, run);
  process.stdout.write(`run ${run} goes on\n`);
  return true;
}
