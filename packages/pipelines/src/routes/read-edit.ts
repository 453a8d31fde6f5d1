import type { RunInfo } from "../engine/index.ts";
import { specJson } from "./json.ts";
import type { Message } from "./message.ts";

/** What a `:retry` says that the pipeline is now, if it says so. */
export function editOf(body: Message): Partial<Pick<RunInfo, "spec" | "platform">> {
  if (!body.has("pipeline_spec")) return {};
  const { pipelineSpec: spec, platformSpec: platform } = specJson(body.value("pipeline_spec")).parsed;
  return platform === undefined ? { spec } : { spec, platform };
}
