import { UserError } from "@sluice/kubernetes";
import type { TaskOptions } from "./task-options.ts";
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

/** A string with values in it that are known only when the pipeline runs. */
export interface Text {
  readonly kind: "text";
  readonly parts: readonly (string | Reference)[];
}
/** A string, perhaps one that is known only when the pipeline runs. */
export type Value = string | Reference<ParameterType<string>> | Text;

/** What may be passed for one declared input. */
type Argument<P> =
  P extends ParameterType<infer T>
    ? T | Reference<ParameterType<T>> | (string extends T ? Text : never)
    : P extends ArtifactType<infer L>
      ? Reference<ArtifactType<L>>
      : never;
/** The inputs that callers may leave out. */
export type OptionalKeys<I> = {
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

/** How a component is done. */
export type Executor =
  | { readonly kind: "container"; readonly image: string; readonly command: readonly string[]; readonly args: readonly string[] }
  | { readonly kind: "importer"; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly kind: "pipeline"; readonly root: Scope; readonly results: Readonly<Record<string, Reference>> };

/** A component as the compiler needs it. */
export interface ComponentDefinition {
  readonly name: string;
  readonly inputs: Ports;
  readonly outputs: Ports;
  readonly executor: Executor;
  /** Which settings of a task it hands on by its `taskConfig()` inputs. */
  readonly passthrough?: readonly Passthrough[];
}

/** A setting that a component hands on to a workload it makes, instead of, or besides, its own pod having it. */
export interface Passthrough {
  readonly field: "RESOURCES" | "ENV" | "KUBERNETES_AFFINITY" | "KUBERNETES_TOLERATIONS" | "KUBERNETES_NODE_SELECTOR" | "KUBERNETES_VOLUMES";
  readonly applyToTask?: boolean;
}

/** One call of a component. */
export interface TaskNode {
  readonly kind: "task";
  readonly definition: ComponentDefinition;
  readonly args: ReadonlyMap<string, Reference | Text | JsonValue>;
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
  readonly itemType?: PortType;
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

/** Whether a value is a string with references in it. */
export function isText(value: unknown): value is Text {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "text" && "parts" in value;
}
