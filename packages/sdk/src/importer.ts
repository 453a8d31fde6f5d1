import { addTask } from "./add-task.ts";
import { isReference, isText, type Task, type Value } from "./graph.ts";
import type { PipelineTaskOptions } from "./task-options.ts";
import { string, type ArtifactType, type JsonValue } from "./types.ts";

/** What to take in, and as what. */
export interface ImportOptions<A extends ArtifactType<false>> {
  /** The address of its content, e.g. `s3://bucket/model`. */
  readonly uri: Value;
  readonly type: A;
  readonly metadata?: Readonly<Record<string, JsonValue | Exclude<Value, string>>>;
  /** Makes a new record even if there is one of the same address and metadata. */
  readonly reimport?: boolean;
  /** Brings the content into the pipeline's workspace, where those that take it find it. */
  readonly downloadToWorkspace?: boolean;
}

/** Adds a task that takes in an artifact that exists already; it costs no pod. */
export function importer<A extends ArtifactType<false>>(
  options: ImportOptions<A>,
  taskOptions: PipelineTaskOptions = {},
): Task<{ readonly artifact: A }> {
  const { uri, type, metadata = {}, reimport = false, downloadToWorkspace = false } = options;
  const isConstant = typeof uri === "string";
  const typeSchema = { schemaTitle: type.schemaTitle, schemaVersion: "0.0.1" };
  const spec = (write: (value: Value) => string): Readonly<Record<string, unknown>> => {
    const known = Object.entries(metadata).map(([key, value]) => [key, isReference(value) || isText(value) ? write(value) : value]);
    return {
      artifactUri: isConstant ? { constant: uri } : { runtimeParameter: "uri" },
      typeSchema,
      ...(known.length === 0 ? {} : { metadata: Object.fromEntries(known) as object }),
      ...(reimport ? { reimport } : {}),
      ...(downloadToWorkspace ? { downloadToWorkspace } : {}),
    };
  };
  const definition = { name: "importer", inputs: { uri: string() }, outputs: { artifact: type }, executor: { kind: "importer", spec } } as const;
  return addTask(definition, definition.outputs, { uri }, taskOptions);
}
