import { UserError } from "@sluice/kubernetes";
import type { ArtifactType, JsonValue, ParameterType, PortType, Ports } from "./types.ts";

/** Where a reference's value comes from. */
export type Source =
  | { readonly kind: "input"; readonly root: Scope; readonly key: string }
  | { readonly kind: "task"; readonly task: TaskNode; readonly key: string }
  | { readonly kind: "item"; readonly loop: Scope }
  | { readonly kind: "oneOf"; readonly branches: Scope; readonly choices: readonly Reference[] };

/** A value known only when the pipeline runs. */
export interface Reference<P extends PortType = PortType> {
  readonly kind: "reference";
  readonly type: P;
  readonly source: Source;
  readonly collected: boolean;
  readonly field?: string;
}

/** What may be passed for one declared input. */
type Argument<P> =
  P extends ParameterType<infer T> ? T | Reference<ParameterType<T>> : P extends ArtifactType<infer L> ? Reference<ArtifactType<L>> : never;
type OptionalKeys<I> = {
  [K in keyof I]: I[K] extends { readonly optional: true } ? K : never;
}[keyof I];
/** The arguments a component call takes: inputs with a default may be left out. */
export type Arguments<I> = { readonly [K in Exclude<keyof I, OptionalKeys<I>>]: Argument<I[K]> } & {
  readonly [K in OptionalKeys<I>]?: Argument<I[K]>;
};
/** References to every declared output. */
export type References<O> = {
  readonly [K in keyof O]: O[K] extends PortType ? Reference<O[K]> : never;
};

/** What a task's container asks the cluster for. */
export interface Resources {
  readonly cpu?: string;
  readonly memory?: string;
  readonly cpuRequest?: string;
  readonly memoryRequest?: string;
  readonly accelerator?: { readonly type: string; readonly count: number };
}
/** How often, and how patiently, a failed task is tried again. */
export interface Retry {
  readonly limit: number;
  readonly backoffSeconds?: number;
  readonly factor?: number;
  readonly maxBackoffSeconds?: number;
}
/** How one task runs, apart from its inputs. */
export interface TaskOptions {
  readonly cache?: boolean;
  readonly retry?: number | Retry;
  readonly resources?: Resources;
  readonly displayName?: string;
  readonly after?: readonly Task<Ports>[];
}

/** A component as the compiler needs it. */
export interface ComponentDefinition {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** One call of a component. */
export interface TaskNode {
  readonly kind: "task";
  readonly definition: ComponentDefinition;
  readonly args: ReadonlyMap<string, Reference | JsonValue>;
  readonly options: TaskOptions;
  readonly scope: Scope;
  exitOf: Scope | undefined;
}
/** A task as pipeline code sees it. */
export interface Task<O> {
  readonly outputs: References<O>;
  readonly node: TaskNode;
}

/** A comparison, or a combination of them, decided when the pipeline runs. */
export type Condition =
  | {
      readonly kind: "compare";
      readonly left: Reference;
      readonly operator: Operator;
      readonly right: Reference | string | number | boolean;
    }
  | { readonly kind: "not"; readonly condition: Condition }
  | { readonly kind: "all"; readonly conditions: readonly Condition[] };
/** The comparison operators. */
export type Operator = "==" | "!=" | ">" | ">=" | "<" | "<=";

/** One level of the pipeline's graph: the pipeline itself, or a block inside it. */
export interface Scope {
  readonly kind: "root" | "condition" | "branches" | "loop" | "exit";
  /** Changes once, when `otherwise()` makes a lone condition the first of several branches. */
  parent: Scope | undefined;
  readonly nodes: (TaskNode | Scope)[];
  /** What it is called where runs are shown. */
  readonly name?: string;
  /** A condition's own; absent from the branch that takes what the others leave. */
  readonly condition?: Condition;
  readonly items?: Reference | readonly JsonValue[];
  readonly itemType?: ParameterType;
  readonly parallelism?: number;
}

let current: Scope | undefined;

/** The block now being built. */
export function currentScope(what: string): Scope {
  if (current === undefined)
    throw new UserError(`${what} was called outside a pipeline`, {
      fix: "call it inside the function given to pipeline()",
    });
  return current;
}

/** Runs a function with calls inside it landing in the given block, and gives back what it returns. */
export function within<R>(scope: Scope, body: () => R): R {
  const before = current;
  current = scope;
  try {
    const result = body();
    if (result instanceof Promise)
      throw new UserError("a pipeline function must not be async", {
        fix: "build the graph synchronously; only run functions are async",
      });
    return result;
  } finally {
    current = before;
  }
}

/** The block that a value is made in: from there outwards it must be passed on. */
export function homeOf(source: Source): Scope {
  switch (source.kind) {
    case "input":
      return source.root;
    case "task":
      return source.task.scope;
    case "item":
      return source.loop;
    case "oneOf": {
      const { parent } = source.branches;
      if (parent === undefined) throw new UserError("oneOf() has lost its conditions");
      return parent;
    }
  }
}

/** A block and all around it, outermost first. */
export function pathOf(scope: Scope | undefined): readonly Scope[] {
  return scope === undefined ? [] : [...pathOf(scope.parent), scope];
}

/** Whether a value is a reference. */
export function isReference(value: unknown): value is Reference {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "reference" && "source" in value;
}

function fits(value: unknown, type: ParameterType): boolean {
  switch (type.parameterType) {
    case "NUMBER_DOUBLE":
      return typeof value === "number" && Number.isFinite(value);
    case "NUMBER_INTEGER":
      return Number.isSafeInteger(value);
    case "STRING":
      return typeof value === "string";
    case "BOOLEAN":
      return typeof value === "boolean";
    case "LIST":
      return Array.isArray(value);
    case "STRUCT":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "TASK_FINAL_STATUS":
      return false;
  }
}

function accepts(to: PortType, from: PortType): boolean {
  if (to.kind === "artifact") {
    return from.kind === "artifact" && to.list === from.list && (to.schemaTitle === "system.Artifact" || to.schemaTitle === from.schemaTitle);
  }
  if (from.kind !== "parameter") return false;
  const numeric = (type: ParameterType): boolean => type.parameterType.startsWith("NUMBER_");
  return to.parameterType === "STRING" || to.parameterType === from.parameterType || (numeric(to) && numeric(from));
}

/** Adds a call of a component to the block being built. */
export function addTask<O extends Ports>(
  definition: ComponentDefinition,
  outputs: O,
  given: Readonly<Record<string, unknown>>,
  options: TaskOptions,
): Task<O> {
  const scope = currentScope(`${definition.name}()`);
  const args = new Map<string, Reference | JsonValue>();
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const type = definition.inputs[key];
    if (type === undefined)
      throw new UserError(`${definition.name} has no input "${key}"`, {
        fix: `its inputs are: ${Object.keys(definition.inputs).join(", ") || "none"}`,
      });
    const ok = isReference(value) ? accepts(type, value.type) : type.kind === "parameter" && fits(value, type);
    if (!ok)
      throw new UserError(
        `${definition.name}: input "${key}" takes ${describe(type)}, not ${isReference(value) ? describe(value.type) : JSON.stringify(value)}`,
      );
    args.set(key, value as Reference | JsonValue);
  }
  for (const [key, type] of Object.entries(definition.inputs)) {
    if (!args.has(key) && !(type.kind === "parameter" && type.optional)) throw new UserError(`${definition.name}: input "${key}" is missing`);
  }
  const limit = typeof options.retry === "object" ? options.retry.limit : options.retry;
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 0))
    throw new UserError(`${definition.name}: retry must be a whole number of at least 0`);
  const node: TaskNode = { kind: "task", definition, args, options, scope, exitOf: undefined };
  scope.nodes.push(node);
  const references: Record<string, Reference> = {};
  for (const [key, type] of Object.entries(outputs))
    references[key] = {
      kind: "reference",
      type,
      source: { kind: "task", task: node, key },
      collected: false,
    };
  return { outputs: references as References<O>, node };
}

/** A type in words, for messages. */
export function describe(type: PortType): string {
  return type.kind === "parameter" ? type.parameterType : `${type.list ? "a list of " : ""}${type.schemaTitle}`;
}

/** The type of many values of a type, as a loop gives them. */
export function listOf(type: PortType): PortType {
  return type.kind === "artifact" ? { ...type, list: true } : { kind: "parameter", parameterType: "LIST", optional: false, element: type };
}
