import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "@sluice/kubernetes";
import { compile, isPipeline } from "@sluice/sdk";
import { parametersOf } from "../parameters.ts";
import { connect, type ServerOptions } from "../server.ts";
import { followRun } from "./run-watch.ts";

/** What `run submit` takes. */
export interface SubmitFlags extends ServerOptions {
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
  { parameter = [], name, experiment, pipelineRoot, cache, watch, ...server }: SubmitFlags,
): Promise<boolean> {
  const pipeline = await loadPipeline(file);
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

/** A pipeline's IR as text, from a compiled file or from a module that exports a pipeline. */
async function loadPipeline(file: string): Promise<string> {
  const path = resolve(file);
  if (![".ts", ".mts", ".js", ".mjs"].includes(extname(path))) {
    return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      throw new UserError(cause.code === "ENOENT" ? `there is no file ${file}` : `cannot read ${file}: ${cause.message}`, { cause });
    });
  }
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`cannot load ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const pipelines = Object.entries(exported).filter(([, value]) => isPipeline(value));
  const [, chosen] = pipelines.find(([key]) => key === "default") ?? (pipelines.length === 1 ? pipelines[0] : undefined) ?? [];
  if (isPipeline(chosen)) return compile(chosen);
  throw new UserError(
    pipelines.length === 0 ? `${file} exports no pipeline` : `${file} exports several pipelines: ${pipelines.map(([key]) => key).join(", ")}`,
    { fix: "export the one to run as default: export default pipeline({ … }, …)" },
  );
}
