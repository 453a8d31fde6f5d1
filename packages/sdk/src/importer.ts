import { addTask } from "./add-task.ts";
import { isReference, isText, type Reference, type Task, type Text, type Value } from "./graph.ts";
import type { PipelineTaskOptions } from "./task-options.ts";
import { string, type ArtifactType, type JsonValue, type ParameterType, type PortType } from "./types.ts";

/** What to take in, and as what. */
export interface ImportOptions<A extends ArtifactType<false>> {
  /** The address of its content, e.g. `s3://bucket/model`. */
  readonly uri: Value;
  readonly type: A;
  readonly metadata?: Readonly<Record<string, JsonValue | Reference<ParameterType> | Text>>;
  /** Makes a new record even if there is one of the same address and metadata. */
  readonly reimport?: boolean;
  /** Brings the content into the pipeline's workspace, where those that take it find it. */
  readonly downloadToWorkspace?: boolean;
}

/** Adds a task that takes in an artifact that exists already; it costs no pod. */
export function importer<A extends ArtifactType<false>>(
  { uri, type, metadata = {}, reimport = false, downloadToWorkspace = false }: ImportOptions<A>,
  options: PipelineTaskOptions = {},
): Task<{ readonly artifact: A }> {
  const inputs: Record<string, PortType> = { uri: string() };
  const args: Record<string, Value | Reference> = { uri };
  // What is known only at run time is an input of its own.
  const write = (value: JsonValue | Reference | Text): JsonValue => {
    if (isText(value)) return value.parts.map(write).join("");
    if (!isReference(value)) return value;
    const count = Object.keys(inputs).length;
    const name = count === 1 ? "metadata" : `metadata-${count}`;
    if (value.type.kind === "parameter") inputs[name] = { kind: "parameter", parameterType: value.type.parameterType, optional: false };
    args[name] = value;
    return `{{$.inputs.parameters['${name}']}}`;
  };
  const written = Object.entries(metadata).map(([key, value]) => [key, write(value)] as const);
  const spec = {
    artifactUri: typeof uri === "string" ? { constant: uri } : { runtimeParameter: "uri" },
    typeSchema: { schemaTitle: type.schemaTitle, schemaVersion: "0.0.1" },
    ...(written.length === 0 ? {} : { metadata: Object.fromEntries(written) }),
    ...(reimport ? { reimport } : {}),
    ...(downloadToWorkspace ? { downloadToWorkspace } : {}),
  };
  const outputs = { artifact: type };
  return addTask({ name: "importer", inputs, outputs, executor: { kind: "importer", spec } }, outputs, args, options);
}
