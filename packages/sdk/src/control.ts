import { UserError } from "@sluice/kubernetes";
import { describe, listOf } from "./accepts.ts";
import {
  currentScope,
  homeOf,
  isReference,
  isText,
  pathOf,
  within,
  type Condition,
  type Operator,
  type Reference,
  type Scope,
  type Task,
} from "./graph.ts";
import type { ArtifactType, JsonValue, ParameterType, PortType, Ports } from "./types.ts";

/** A comparison of a value known at run time with another, or with a constant. */
export function compare<T extends string | number | boolean>(
  left: Reference<ParameterType<T>>,
  operator: Operator,
  right: T | Reference<ParameterType<T>>,
): Condition {
  if (!isReference(left) || left.type.kind !== "parameter") throw new UserError("compare() takes a parameter reference on the left");
  return { kind: "compare", left, operator, right };
}
/** True when a condition is not. */
export function not(condition: Condition): Condition {
  return { kind: "not", condition };
}
/** True when every condition is. */
export function all(...conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) throw new UserError("all() needs at least one condition");
  return { kind: "all", conditions };
}
/** True when at least one condition is. */
export function any(...conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) throw new UserError("any() needs at least one condition");
  return not(all(...conditions.map(not)));
}

/** How a block is called where runs are shown. */
export interface BlockOptions {
  readonly name?: string;
}

/** Runs a block only if a condition holds. What the block returns is for `oneOf`. */
export function when<R>(condition: Condition, body: () => R, options: BlockOptions = {}): R {
  const parent = currentScope("when()");
  const scope: Scope = { kind: "condition", parent, nodes: [], condition, ...options };
  parent.nodes.push(scope);
  return within(scope, body);
}

/** Runs a block if none of the preceding conditions held, and, when given one, its own does. */
export function otherwise<R>(body: () => R, options?: BlockOptions): R;
export function otherwise<R>(condition: Condition, body: () => R, options?: BlockOptions): R;
export function otherwise<R>(first: Condition | (() => R), second?: BlockOptions | (() => R), third?: BlockOptions): R {
  const parent = currentScope("otherwise()");
  const previous = parent.nodes.at(-1);
  type Given = [condition: Condition | undefined, body: () => R, options?: BlockOptions];
  const [condition, body, options] = (typeof first === "function" ? [undefined, first, second] : [first, second, third]) as Given;
  if (previous === undefined || (previous.kind !== "condition" && previous.kind !== "branches"))
    throw new UserError("otherwise() does not follow a when()", { fix: "call otherwise() directly after when(), in the same block" });
  let branches = previous;
  if (previous.kind === "condition") {
    branches = { kind: "branches", parent, nodes: [previous] };
    previous.parent = branches;
    parent.nodes[parent.nodes.length - 1] = branches;
  }
  if (isComplete(branches))
    throw new UserError("otherwise() follows an unconditional otherwise()", { fix: "the branch without a condition comes last" });
  const scope: Scope = { kind: "condition", parent: branches, nodes: [], ...options, ...(condition === undefined ? {} : { condition }) };
  branches.nodes.push(scope);
  return within(scope, body);
}

/** Whether one of the branches always runs. */
function isComplete(branches: Scope): boolean {
  const last = branches.nodes.at(-1);
  return last?.kind === "condition" && last.condition === undefined;
}

/** The value of whichever branch ran: one reference from each block of a `when()` and its `otherwise()`s. */
export function oneOf<P extends PortType>(...choices: readonly [Reference<P>, ...Reference<P>[]]): Reference<P> {
  const here = currentScope("oneOf()");
  const branchOf = ({ source }: Reference): Scope | undefined => {
    const path = pathOf(homeOf(source));
    return path[path.indexOf(here) + 2];
  };
  const [first] = choices;
  const branches = branchOf(first)?.parent;
  if (branches?.kind !== "branches" || branches.parent !== here)
    throw new UserError("oneOf() takes what a when() and its otherwise() return", { fix: "call it after them, in the same block" });
  const covered = choices.map(branchOf);
  if (!isComplete(branches) || covered.length !== branches.nodes.length || branches.nodes.some((branch) => !covered.includes(branch as Scope)))
    throw new UserError("oneOf() takes one value from every branch, so that there is always one", {
      fix: "end with an unconditional otherwise(), and give oneOf() one reference from each block",
    });
  for (const { type } of choices) {
    if (describe(type) !== describe(first.type))
      throw new UserError(`oneOf() takes values of one type, not ${describe(first.type)} and ${describe(type)}`);
  }
  return { kind: "reference", type: first.type, source: { kind: "oneOf", branches, choices }, collected: false };
}

function typeOf(value: JsonValue | undefined): ParameterType {
  const name =
    typeof value === "string"
      ? "STRING"
      : typeof value === "number"
        ? "NUMBER_DOUBLE"
        : typeof value === "boolean"
          ? "BOOLEAN"
          : Array.isArray(value)
            ? "LIST"
            : "STRUCT";
  return { kind: "parameter", parameterType: name, optional: false };
}

/** What a loop takes beside its items: how many rounds may go on at once. */
export interface LoopOptions extends BlockOptions {
  readonly parallelism?: number;
}

/** Runs a block once per item, at most `parallelism` at a time. What the block returns is for `collect`. */
export function forEach<R>(items: Reference<ArtifactType<true>>, body: (item: Reference<ArtifactType<false>>) => R, options?: LoopOptions): R;
export function forEach<T, R>(
  items: readonly T[] | Reference<ParameterType<readonly T[]>>,
  body: (item: Reference<ParameterType<T, false>>) => R,
  options?: LoopOptions,
): R;
export function forEach<R>(items: readonly unknown[] | Reference, body: (item: never) => R, options: LoopOptions = {}): R {
  const parent = currentScope("forEach()");
  const { parallelism } = options;
  if (parallelism !== undefined && (!Number.isInteger(parallelism) || parallelism < 1))
    throw new UserError("forEach(): parallelism must be a whole number of at least 1");
  let itemType: PortType;
  if (isReference(items)) {
    const { type } = items;
    if (type.kind === "artifact" ? !type.list : type.parameterType !== "LIST")
      throw new UserError("forEach() takes a list: of values, or of artifacts");
    itemType = type.kind === "artifact" ? { ...type, list: false } : (type.element ?? typeOf(""));
  } else {
    const constants = items as readonly JsonValue[];
    const first = typeOf(constants[0]);
    itemType = first;
    if (constants.some((item) => typeOf(item).parameterType !== first.parameterType))
      throw new UserError("forEach(): all items must have the same type");
  }
  const scope: Scope = {
    kind: "loop",
    parent,
    nodes: [],
    items: items as Reference | readonly JsonValue[],
    itemType,
    ...options,
  };
  parent.nodes.push(scope);
  const item: Reference = { kind: "reference", type: itemType, source: { kind: "item", loop: scope }, collected: false };
  return within(scope, () => body(item as never));
}

/** One field of a struct known at run time, such as a loop's item. */
export function field<T, K extends keyof T & string>(
  reference: Reference<ParameterType<T>>,
  key: K,
  type: ParameterType<T[K]>,
): Reference<ParameterType<T[K]>> {
  if (reference.type.parameterType !== "STRUCT") throw new UserError(`field("${key}") takes a struct`);
  return { ...reference, type, field: key };
}

/** Every iteration's value of an output made inside a loop, for use after it; nested loops give one flat list. */
export function collect<T>(reference: Reference<ParameterType<T>>): Reference<ParameterType<readonly T[]>>;
export function collect(reference: Reference<ArtifactType<false>>): Reference<ArtifactType<true>>;
export function collect(reference: Reference): Reference {
  const { source } = reference;
  const isMade = source.kind === "task" || source.kind === "oneOf";
  if (!isMade || reference.field !== undefined || !pathOf(homeOf(source)).some(({ kind }) => kind === "loop"))
    throw new UserError("collect() takes an output of a task inside forEach()");
  return { ...reference, type: listOf(reference.type), collected: true };
}

/** Runs a block, and then the given task whether or not the block succeeded. */
export function onExit<R>(task: Task<Ports>, body: () => R): R {
  const parent = currentScope("onExit()");
  const { node } = task;
  if (node.scope !== parent) throw new UserError("onExit(): the exit task must be made in the block that calls onExit()");
  if (node.exitOf !== undefined)
    throw new UserError("onExit(): the task is already an exit task", {
      fix: "make one exit task per onExit()",
    });
  for (const value of node.args.values()) {
    const isMade = (one: unknown): boolean => isReference(one) && one.source.kind !== "input" && one.source.kind !== "item";
    if (isText(value) ? value.parts.some(isMade) : isMade(value)) throw new UserError("onExit(): an exit task cannot take another task's output");
  }
  if ((node.options.after ?? []).length > 0) throw new UserError("onExit(): an exit task cannot have `after`");
  const scope: Scope = { kind: "exit", parent, nodes: [] };
  node.exitOf = scope;
  parent.nodes.push(scope);
  return within(scope, body);
}
