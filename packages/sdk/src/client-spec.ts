import { UserError } from "@sluice/kubernetes";
import { parseAllDocuments } from "yaml";
import { compile } from "./compile.ts";
import type { Pipeline } from "./pipeline.ts";

/** A JSON object of unknown content. */
export type Tree = { [key: string]: unknown };

/** What a run can be made from: a pipeline of this SDK, IR as YAML or JSON text, or IR as an object. */
export type PipelineSource = Pipeline | string | Readonly<Tree>;

/** The source as the REST API takes it: the specification, wrapped together with the platform's part if there is one. */
export function pipelineSpecOf(source: PipelineSource): Tree {
  if (typeof source === "string") return fromText(source);
  if (isPipeline(source)) return fromText(compile(source));
  return structuredClone({ ...source });
}

/** The specification as a file: the platform's part, if there is one, is a document of its own. (JSON is YAML.) */
export function pipelineFileOf(spec: Tree): string {
  const { pipeline_spec: inside, platform_spec: platform } = spec;
  const documents = isTree(inside) ? [inside, ...(isTree(platform) ? [platform] : [])] : [spec];
  return documents.map((document) => `${JSON.stringify(document)}\n`).join("---\n");
}

/** The pipeline's own name. */
export function pipelineNameOf(spec: Tree): string {
  const { name } = asTree(asTree(inner(spec)["pipelineInfo"]));
  return typeof name === "string" ? name : "pipeline";
}

/** Sets every task's caching, as the Python SDK does for a run. */
export function setCaching(spec: Tree, enableCache: boolean): void {
  const { root, components } = inner(spec);
  for (const component of [root, ...Object.values(asTree(components))]) {
    for (const task of Object.values(asTree(asTree(asTree(component)["dag"])["tasks"]))) asTree(task)["cachingOptions"] = { enableCache };
  }
}

/** Whether a module's export is a pipeline of this SDK. */
export function isPipeline(value: unknown): value is Pipeline {
  return typeof value === "function" && "root" in value && "inputs" in value && "outputs" in value;
}

function fromText(text: string): Tree {
  const documents = parseAllDocuments(text);
  const list = "empty" in documents ? [] : documents;
  const broken = list.flatMap(({ errors }) => errors)[0];
  if (broken !== undefined) throw new UserError(`the pipeline is not YAML: ${broken.message}`, { cause: broken });
  const [spec, platform, ...more] = list.map((document) => document.toJS() as unknown).filter((value) => value !== null);
  if (!isTree(spec) || more.length > 0 || (platform !== undefined && !isTree(platform))) {
    throw new UserError("this is no compiled pipeline", { fix: "give the YAML that compile() or the Python SDK's compiler wrote" });
  }
  return platform === undefined ? spec : { pipeline_spec: spec, platform_spec: platform };
}

function inner(spec: Tree): Tree {
  return isTree(spec["pipeline_spec"]) ? spec["pipeline_spec"] : spec;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object itself, or an empty one. */
function asTree(value: unknown): Tree {
  return isTree(value) ? value : {};
}
