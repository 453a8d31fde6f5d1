import type { CallExpr, Expr } from "./ast.ts";
import { CelBudget } from "./budget.ts";
import type { CallMeaning } from "./checker.ts";
import { constantOf } from "./constant.ts";
import { CelError } from "./errors.ts";
import type { Overload } from "./functions.ts";
import { findOptional, indexOf } from "./library/operators.ts";
import { CelFailure, CelMap, CelOptional, isOfType, keyOf, NO_SUCH_OVERLOAD, ValueList, type CelResult, type CelValue } from "./values.ts";

/** What an evaluation works on. */
interface Frame {
  readonly budget: CelBudget;
  /** The value of a variable that the expression names. */
  readonly variable: (name: string) => CelResult;
  /** The variables of folds, each in its own place. */
  readonly locals: CelResult[];
}

/** A part of an expression, ready to run. */
export type Step = (frame: Frame) => CelResult;

/** For folds: what failed does not end them. */
export function notStrictlyFalse(condition: Step): Step {
  return (frame) => {
    const value = condition(frame);
    frame.budget.charge(1);
    return value !== false;
  };
}

/** Bytes are decoded from text whenever they are read. */
export function payFor(result: CelResult, budget: CelBudget): CelResult {
  if (result instanceof Uint8Array) budget.charge(result.length * 0.01);
  return result;
}

/** Only the way that is taken is run. */
export function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const value = condition(frame);
    if (value === true) return yes(frame);
    if (value === false) return no(frame);
    return value instanceof CelFailure ? value : NO_SUCH_OVERLOAD;
  };
}

/** An item, or the value of a key. */
export function index(container: Step, key: Step, find: (container: CelValue, key: CelValue) => CelResult): Step {
  return (frame) => {
    const value = container(frame);
    if (value instanceof CelFailure) return value;
    const known = key(frame);
    if (known instanceof CelFailure) return known;
    frame.budget.charge(1);
    return payFor(find(value, known), frame.budget);
  };
}

/** `or` and `orValue` look at their argument only if they need it. */
export function optionalOr(optional: Step, other: Step, isUnwrapped: boolean): Step {
  return (frame) => {
    const value = optional(frame);
    if (value instanceof CelFailure) return value;
    if (!(value instanceof CelOptional)) return NO_SUCH_OVERLOAD;
    if (value.value === undefined) return other(frame);
    return isUnwrapped ? value.value : value;
  };
}

/** Whether a field is there; what is no object has none. */
export function hasField(value: CelValue, field: string): CelResult {
  if (value instanceof CelOptional) return value.value === undefined ? false : hasField(value.value, field);
  const found = value instanceof CelMap ? value.find(field) : undefined;
  return found instanceof CelFailure ? found : found !== undefined;
}

/** The value of a field. */
export function selectField(value: CelValue, field: string): CelResult {
  if (value instanceof CelOptional) return findOptional(value, field);
  return value instanceof CelMap ? indexOf(value, field) : NO_SUCH_OVERLOAD;
}

const CONVERSIONS = new Set(["bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"]);

/** The conversion of a constant, which is one itself. */
export function foldConversion({ function: name, args }: CallExpr, { overloads }: CallMeaning): Step | undefined {
  const value = args.length === 1 && CONVERSIONS.has(name) && args[0] !== undefined ? constantOf(args[0]) : undefined;
  const overload = value === undefined ? undefined : overloads.find((one) => one.args[0] !== undefined && isOfType(value, one.args[0]));
  if (value === undefined || overload === undefined) return undefined;
  const result = overload.call(value, new CelBudget());
  if (result instanceof CelFailure) throw new CelError("compile", result.message);
  return () => result;
}

/** Whether something is among constants takes one look, however many there are. */
export function foldMembership({ function: name, args: [item, list] }: CallExpr, step: (item: Expr) => Step): Step | undefined {
  const constant = name === "@in" && list?.kind === "list" ? constantOf(list) : undefined;
  if (!(constant instanceof ValueList) || item === undefined) return undefined;
  const known = new Set<string | boolean | bigint>();
  for (const value of constant.items) {
    const key = typeof value === "number" ? undefined : keyOf(value);
    if (key === undefined) return undefined;
    known.add(key);
  }
  const wanted = step(item);
  return (frame) => {
    const value = wanted(frame);
    if (value instanceof CelFailure) return value;
    const key = keyOf(value);
    return key !== undefined && known.has(key);
  };
}

function pay({ cost }: Overload, budget: CelBudget, args: readonly CelValue[]): void {
  budget.charge(cost === undefined ? 1 : cost(...args));
}

/** A call with one argument. */
export function call1({ overloads }: CallMeaning, first: Step): Step {
  return (frame) => {
    const a = first(frame);
    if (a instanceof CelFailure) return a;
    for (const overload of overloads) {
      const [type] = overload.args;
      if (type === undefined || !isOfType(a, type)) continue;
      frame.budget.charge(overload.cost === undefined ? 1 : overload.cost(a));
      return overload.call(a, frame.budget);
    }
    return NO_SUCH_OVERLOAD;
  };
}

/** A call with two arguments. */
export function call2({ overloads }: CallMeaning, first: Step, second: Step): Step {
  return (frame) => {
    const a = first(frame);
    if (a instanceof CelFailure) return a;
    const b = second(frame);
    if (b instanceof CelFailure) return b;
    for (const overload of overloads) {
      const [typeA, typeB] = overload.args;
      if (typeA === undefined || typeB === undefined || !isOfType(a, typeA) || !isOfType(b, typeB)) continue;
      frame.budget.charge(overload.cost === undefined ? 1 : overload.cost(a, b));
      return overload.call(a, b, frame.budget);
    }
    return NO_SUCH_OVERLOAD;
  };
}

/** A call with any number of arguments. */
export function callMany({ overloads }: CallMeaning, args: readonly Step[]): Step {
  return (frame) => {
    const values: CelValue[] = [];
    for (const arg of args) {
      const value = arg(frame);
      if (value instanceof CelFailure) return value;
      values.push(value);
    }
    const overload = overloads.find((one) => one.args.every((type, i) => isOfType(values[i] ?? null, type)));
    if (overload === undefined) return NO_SUCH_OVERLOAD;
    pay(overload, frame.budget, values);
    return overload.call(...values, frame.budget);
  };
}
