import type { RunInfo } from "../engine/index.ts";
import type { RouteContext } from "./context.ts";
import { specJson } from "./json.ts";
import { Message, readJson } from "./message.ts";

/** What a `:retry` says that the pipeline is now, if it says so. */
export async function readEdit(context: RouteContext): Promise<Partial<Pick<RunInfo, "spec" | "platform">>> {
  const body = new Message(await readJson(context, {}), "", ["run_id", "pipeline_spec"]);
  if (!body.has("pipeline_spec")) return {};
  const { pipelineSpec: spec, platformSpec: platform } = specJson(body.value("pipeline_spec")).parsed;
  return platform === undefined ? { spec } : { spec, platform };
}
