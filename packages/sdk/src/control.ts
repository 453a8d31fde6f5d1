import { UserError } from "@sluice/kubernetes";
import {
  currentScope,
  isReference,
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
  if (!isReference(left) || left.type.kind !== "parameter")
    throw new UserError("compare() takes a parameter reference on the left");
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

/** Runs a block only if a condition holds. */
export function when(condition: Condition, body: () => void): void {
  const parent = currentScope("when()");
  const scope: Scope = { kind: "condition", parent, nodes: [], condition };
  parent.nodes.push(scope);
  within(scope, body);
}

/** Runs a block if none of the preceding conditions held, and, when given one, its own does. */
export function otherwise(body: () => void): void;
export function otherwise(condition: Condition, body: () => void): void;
export function otherwise(first: Condition | (() => void), second?: () => void): void {
  const parent = currentScope("otherwise()");
  const previous = parent.nodes.at(-1);
  const body = typeof first === "function" ? first : second;
  if (
    previous === undefined ||
    (previous.kind !== "condition" && previous.kind !== "branches") ||
    body === undefined
  ) {
    throw new UserError("otherwise() does not follow a when()", {
      fix: "call otherwise() directly after when(), in the same block",
    });
  }
  let branches = previous;
  if (previous.kind === "condition") {
    branches = { kind: "branches", parent, nodes: [previous] };
    previous.parent = branches;
    parent.nodes[parent.nodes.length - 1] = branches;
  }
  const before: Condition[] = [];
  for (const branch of branches.nodes)
    if (branch.kind === "condition" && branch.condition !== undefined)
      before.push(branch.condition);
  // Each branch's condition already excludes its predecessors; the last operand is its own.
  const own = before.map((condition, index) =>
    index > 0 && condition.kind === "all" ? (condition.conditions.at(-1) ?? condition) : condition,
  );
  if (branches.nodes.length > 1 && before.at(-1)?.kind === "all" && own.at(-1)?.kind === "not") {
    throw new UserError("otherwise() follows an unconditional otherwise()", {
      fix: "the branch without a condition comes last",
    });
  }
  const negated = own.map(not);
  const mine = typeof first === "function" ? negated : [...negated, all(first)];
  const scope: Scope = { kind: "condition", parent: branches, nodes: [], condition: all(...mine) };
  branches.nodes.push(scope);
  within(scope, body);
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

/** Runs a block once per item, at most `parallelism` at a time. */
export function forEach<T>(
  items: readonly T[] | Reference<ParameterType<readonly T[]>>,
  body: (item: Reference<ParameterType<T>>) => void,
  options: { readonly parallelism?: number } = {},
): void {
  const parent = currentScope("forEach()");
  const { parallelism } = options;
  if (parallelism !== undefined && (!Number.isInteger(parallelism) || parallelism < 1))
    throw new UserError("forEach(): parallelism must be a whole number of at least 1");
  let itemType: ParameterType;
  if (isReference(items)) {
    if (items.type.kind !== "parameter" || items.type.parameterType !== "LIST")
      throw new UserError("forEach() takes a list parameter");
    itemType = items.type.element ?? typeOf("");
  } else {
    const constants = items as readonly JsonValue[];
    itemType = typeOf(constants[0]);
    if (constants.some((item) => typeOf(item).parameterType !== itemType.parameterType))
      throw new UserError("forEach(): all items must have the same type");
  }
  const scope: Scope = {
    kind: "loop",
    parent,
    nodes: [],
    items: items as Reference | readonly JsonValue[],
    itemType,
    ...(parallelism === undefined ? {} : { parallelism }),
  };
  parent.nodes.push(scope);
  within(scope, () =>
    body({
      kind: "reference",
      type: itemType as ParameterType<T>,
      source: { kind: "item", loop: scope },
      collected: false,
    }),
  );
}

/** One field of a struct known at run time, such as a loop's item. */
export function field<T, K extends keyof T & string>(
  reference: Reference<ParameterType<T>>,
  key: K,
  type: ParameterType<T[K]>,
): Reference<ParameterType<T[K]>> {
  if (reference.type.parameterType !== "STRUCT")
    throw new UserError(`field("${key}") takes a struct`);
  return { ...reference, type, field: key };
}

/** Every iteration's value of an output made inside a loop, for use after it. */
export function collect<T>(
  reference: Reference<ParameterType<T>>,
): Reference<ParameterType<readonly T[]>>;
export function collect(reference: Reference<ArtifactType<false>>): Reference<ArtifactType<true>>;
export function collect(reference: Reference): Reference {
  let scope = reference.source.kind === "task" ? reference.source.task.scope : undefined;
  while (scope !== undefined && scope.kind !== "loop") scope = scope.parent;
  if (scope === undefined)
    throw new UserError("collect() takes an output of a task inside forEach()");
  const type: PortType =
    reference.type.kind === "artifact"
      ? { ...reference.type, list: true }
      : { kind: "parameter", parameterType: "LIST", optional: false, element: reference.type };
  return { ...reference, type, collected: true };
}

/** Runs a block, and then the given task whether or not the block succeeded. */
export function onExit(task: Task<Ports>, body: () => void): void {
  const parent = currentScope("onExit()");
  const { node } = task;
  if (node.scope !== parent)
    throw new UserError("onExit(): the exit task must be made in the block that calls onExit()");
  if (node.exitOf !== undefined)
    throw new UserError("onExit(): the task is already an exit task", {
      fix: "make one exit task per onExit()",
    });
  for (const value of node.args.values()) {
    if (isReference(value) && value.source.kind === "task")
      throw new UserError("onExit(): an exit task cannot take another task's output");
  }
  if ((node.options.after ?? []).length > 0)
    throw new UserError("onExit(): an exit task cannot have `after`");
  const scope: Scope = { kind: "exit", parent, nodes: [] };
  node.exitOf = scope;
  parent.nodes.push(scope);
  within(scope, body);
}
