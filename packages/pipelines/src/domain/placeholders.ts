import { UserError } from "@sluice/kubernetes";
import {
  type ArtifactList,
  containerInput,
  type ExecutorInput,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  localPathOfArtifact,
  parameterText,
} from "./executor-input.ts";

/** The placeholders that describe the run and the task rather than its inputs. */
export type PipelinePlaceholder =
  | "pipeline_job_name"
  | "pipeline_job_resource_name"
  | "pipeline_job_uuid"
  | "pipeline_task_name"
  | "pipeline_task_uuid"
  | "pipeline_job_create_time_utc"
  | "pipeline_job_schedule_time_utc"
  | "pipeline_root"
  | "workspace_path";

/** The values of the placeholders that describe the run and the task. */
export type PipelineValues = Readonly<Partial<Record<PipelinePlaceholder, string>>>;

/** What placeholders in a container's command line may refer to. */
export interface PlaceholderScope {
  readonly input: ExecutorInput;
  /** Inputs the component declares optional: absent ones read as empty text. */
  readonly optionalInputs?: ReadonlySet<string>;
  readonly pipeline?: PipelineValues;
  /** What is done to every value before it takes its placeholder's place. */
  readonly escape?: (value: string) => string;
}

/** The command line of a container. */
export interface CommandLine {
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** A path such as `inputs.artifacts['x'].uri`: its words joined by dots with `[]` for keys, and the keys. */
interface PlaceholderPath {
  readonly shape: string;
  readonly keys: readonly string[];
}

type Resolver = (path: PlaceholderPath, placeholder: string) => string;

const PLACEHOLDER = /\{\{\$(?:\}\}|\.[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\['[^']*'\]|\["[^"]*"\])*\}\}|\.[^{}]*\}\})/g;
const STEP = /\.([A-Za-z_]\w*)|\['([^']*)'\]|\["([^"]*)"\]/y;

function unknownPlaceholder(placeholder: string): UserError {
  return new UserError(`unknown placeholder ${placeholder}`);
}

function parsePath(placeholder: string): PlaceholderPath {
  const text = placeholder.slice("{{$".length, -"}}".length);
  const keys: string[] = [];
  let shape = "";
  STEP.lastIndex = 0;
  for (let end = 0; end < text.length; end = STEP.lastIndex) {
    const match = STEP.exec(text);
    if (match === null) throw unknownPlaceholder(placeholder);
    const [, word, single, double] = match;
    if (word !== undefined) {
      shape += shape === "" ? word : `.${word}`;
    } else {
      keys.push(single ?? double ?? "");
      shape += "[]";
    }
  }
  return { shape, keys };
}

/** Replaces every placeholder of `text` in one pass, so that substituted text is never looked at again. */
function substitute(text: string, resolve: Resolver): string {
  return text.replace(PLACEHOLDER, (placeholder) => resolve(parsePath(placeholder), placeholder));
}

function own<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

function pipelineValue(values: PipelineValues | undefined, shape: string, placeholder: string): string {
  const value = own<string>(values, shape);
  if (value === undefined) throw unknownPlaceholder(placeholder);
  return value;
}

function artifactField(list: ArtifactList, field: string, key: string | undefined, placeholder: string): string {
  if (field === "") return JSON.stringify(list.artifacts);
  const artifact = list.artifacts[0];
  if (artifact === undefined) throw new UserError(`${placeholder} refers to an empty list of artifacts`);
  switch (field) {
    case ".uri":
      return artifact.uri ?? "";
    case ".path":
      return localPathOfArtifact(artifact);
    case ".name":
      return artifact.name ?? "";
    case ".metadata":
    case ".properties":
      return JSON.stringify(artifact.metadata ?? {});
    case ".metadata[]":
    case ".properties[]": {
      const value = own(artifact.metadata, key ?? "");
      if (value === undefined) throw new UserError(`${placeholder} refers to metadata that the artifact does not have`);
      return parameterText(value);
    }
    default:
      throw unknownPlaceholder(placeholder);
  }
}

function containerResolver(scope: PlaceholderScope): Resolver {
  const { escape } = scope;
  const resolve = plainResolver(scope);
  return escape === undefined ? resolve : (path, placeholder) => escape(resolve(path, placeholder));
}

function plainResolver(scope: PlaceholderScope): Resolver {
  const { inputs, outputs } = scope.input;
  const absent = (side: string, name: string, placeholder: string): string => {
    if (side === "input" && scope.optionalInputs?.has(name) === true) return "";
    throw new UserError(`${placeholder} refers to ${JSON.stringify(name)}, which is not an ${side} of this task`);
  };
  return ({ shape, keys }, placeholder) => {
    const [name = "", key] = keys;
    switch (shape) {
      case "":
        return JSON.stringify(containerInput(scope.input));
      case "outputs.output_file":
        if (outputs?.outputFile === undefined) throw unknownPlaceholder(placeholder);
        return outputs.outputFile;
      case "inputs.parameters[]": {
        const value = own(inputs?.parameterValues, name);
        return value === undefined ? absent("input", name, placeholder) : parameterText(value);
      }
      case "outputs.parameters[].output_file":
        return own(outputs?.parameters, name)?.outputFile ?? absent("output", name, placeholder);
    }
    const match = /^(input|output)s\.artifacts\[\](.*)$/.exec(shape);
    if (match === null) return pipelineValue(scope.pipeline, shape, placeholder);
    const [, side = "", field = ""] = match;
    const list = own(side === "input" ? inputs?.artifacts : outputs?.artifacts, name);
    return list === undefined ? absent(side, name, placeholder) : artifactField(list, field, key, placeholder);
  };
}

/** The operator that an argument such as `{"Concat": […]}` spells, or undefined if it is plain text. */
function operatorOf(text: string): JsonObject | undefined {
  if (!/^\s*\{\s*"(?:Concat|IfPresent)"\s*:/.test(text)) return undefined;
  try {
    const value: JsonValue = JSON.parse(text);
    return isJsonObject(value) && Object.keys(value).length === 1 ? value : undefined;
  } catch {
    return undefined;
  }
}

function isPresent(input: ExecutorInput, name: string): boolean {
  if ((own(input.inputs?.parameterValues, name) ?? null) !== null) return true;
  return (own(input.inputs?.artifacts, name)?.artifacts.length ?? 0) > 0;
}

/** The arguments that one element of a command line stands for: any number of them. */
function expand(element: JsonValue, scope: PlaceholderScope, resolve: Resolver): string[] {
  if (typeof element === "string") {
    const operator = operatorOf(element);
    return operator === undefined ? [substitute(element, resolve)] : expand(operator, scope, resolve);
  }
  if (Array.isArray(element)) {
    const items: readonly JsonValue[] = element;
    return items.flatMap((item) => expand(item, scope, resolve));
  }
  if (!isJsonObject(element)) return [parameterText(element)];
  const concat = own(element, "Concat");
  if (Array.isArray(concat)) return [expand(concat, scope, resolve).join("")];
  const ifPresent = own(element, "IfPresent");
  if (isJsonObject(ifPresent)) {
    const name = own(ifPresent, "InputName");
    const then = own(ifPresent, "Then");
    if (typeof name === "string" && then !== undefined) {
      const branch = isPresent(scope.input, name) ? then : own(ifPresent, "Else");
      return branch === undefined || branch === null ? [] : expand(branch, scope, resolve);
    }
  }
  throw new UserError(`malformed placeholder ${JSON.stringify(element)}`, {
    fix: 'Use {"Concat": [...]} or {"IfPresent": {"InputName": "...", "Then": ..., "Else": ...}}.',
  });
}

/** The command line of a container with every placeholder replaced by its value. */
export function resolveCommandLine(line: CommandLine, scope: PlaceholderScope): CommandLine {
  const resolve = containerResolver(scope);
  return { command: expand(line.command, scope, resolve), args: expand(line.args, scope, resolve) };
}

/** One string of a container spec, such as its image or a resource limit, with its placeholders replaced. */
export function resolveText(text: string, scope: PlaceholderScope): string {
  return substitute(text, containerResolver(scope));
}

/** A task input constant with sibling inputs and run values filled in, in its nested strings as well. */
export function resolveConstant(constant: JsonValue, siblings: JsonObject, pipeline: PipelineValues): JsonValue {
  const resolve: Resolver = ({ shape, keys }, placeholder) => {
    if (shape !== "inputs.parameters[]") return pipelineValue(pipeline, shape, placeholder);
    const value = own(siblings, keys[0] ?? "");
    if (value === undefined) throw new UserError(`${placeholder} refers to an input that this task does not have`);
    return parameterText(value);
  };
  const walk = (value: JsonValue): JsonValue => {
    if (typeof value === "string") return substitute(value, resolve);
    if (Array.isArray(value)) {
      const items: readonly JsonValue[] = value;
      return items.map(walk);
    }
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [substitute(key, resolve), walk(item)]));
  };
  return walk(constant);
}
