import type { PipelinesClient, Run } from "@sluice/sdk";
import { parametersOf } from "../parameters.ts";
import { connect, runIdOf, type ServerOptions } from "../server.ts";
import { followRun } from "./run-watch.ts";

/** What `run clone` takes. */
export interface CloneFlags extends ServerOptions {
  readonly parameter?: readonly string[];
  readonly name?: string;
  readonly experiment?: string;
  readonly watch?: boolean;
}

/** Starts a run like another; resolves to whether all went well as far as it looked. */
export async function cloneRun(id: string, { parameter = [], name, experiment, watch, ...server }: CloneFlags): Promise<boolean> {
  const client = connect(server);
  const original = await client.getRun(await runIdOf(client, id));
  const parameters = parameter.length === 0 ? {} : parametersOf(await pipelineOf(client, original), parameter);
  const run = await client.clone(original.run_id, {
    parameters,
    ...(name === undefined ? {} : { name }),
    ...(experiment === undefined ? {} : { experiment }),
  });
  if (watch === true) return followRun(client, run.run_id);
  process.stdout.write(`${run.run_id}\n`);
  return true;
}

/** The IR of a run's pipeline. */
async function pipelineOf(client: PipelinesClient, { pipeline_spec: own, pipeline_version_reference: reference }: Run): Promise<string> {
  const { pipeline_id: pipeline = "", pipeline_version_id: version = "" } = reference ?? {};
  return JSON.stringify(own ?? (await client.getPipelineVersion(pipeline, version)).pipeline_spec ?? {});
}
