import type { ArtifactTypeSchema, JsonObject, ParameterType } from "../domain/ir.ts";

/** The environment variable in which an agent finds its `AgentTask`, as JSON. */
export const AGENT_TASK_ENV = "SLUICE_TASK";

/** What an artifact agent is to bring and to take for one attempt of a task. Paths are the container's. */
export interface AgentTask {
  readonly runId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly inputs: readonly AgentInput[];
  /** The address below which it may store. */
  readonly home: string;
  /** How the store of its outputs is reached where its pipeline root said so: what followed "?". */
  readonly store?: string;
  /** Where the container may leave its `ExecutorOutput`. */
  readonly outputFile: string;
  readonly parameters: Readonly<Record<string, { readonly type: ParameterType; readonly path: string }>>;
  readonly artifacts: Readonly<Record<string, AgentArtifact>>;
}

/** One artifact to bring; what it was when it was stored is verified. */
export interface AgentInput {
  readonly uri: string;
  readonly path: string;
  readonly digest?: string;
  /** As `AgentTask.store`, of the run that made it. */
  readonly store?: string;
}

/** One output artifact as it is expected. */
export interface AgentArtifact {
  readonly name: string;
  readonly type: ArtifactTypeSchema;
  readonly uri: string;
  readonly metadata: JsonObject;
}
