import { ACCUMULATOR, type CallExpr, type Expr, type FoldExpr, type ListExpr, type LogicExpr, type MapExpr, type SelectExpr } from "./ast.ts";
import type { CelBudget } from "./budget.ts";
import type { CallMeaning, Checked } from "./checker.ts";
import type { Overload } from "./functions.ts";
import { findOptional, indexOf, ListBuilder } from "./library/operators.ts";
import {
  CelFailure,
  CelList,
  CelMap,
  CelOptional,
  CelTypeValue,
  CelUint,
  isOfType,
  keyOf,
  NO_SUCH_OVERLOAD,
  ValueList,
  ValueMap,
  type CelResult,
  type CelValue,
  type MapKey,
} from "./values.ts";

/** What an evaluation works on. */
export interface Frame {
  readonly budget: CelBudget;
  /** The value of a variable that the expression names. */
  readonly variable: (name: string) => CelResult;
  /** The variables of folds, each in its own place. */
  readonly locals: CelResult[];
}

/** A part of an expression, ready to run. */
export type Step = (frame: Frame) => CelResult;

const LIST_COST = 10;
const MAP_COST = 30;

/** Turns a checked expression into something that runs: every step pays before it acts. */
export function prepare(expression: Expr, checked: Checked): Step {
  return new Preparer(checked).step(expression);
}

class Preparer {
  readonly #checked: Checked;
  /** Where the variables of the folds around are kept. */
  readonly #places: (readonly [string, number])[] = [];
  #nextPlace = 0;

  constructor(checked: Checked) {
    this.#checked = checked;
  }

  step(expression: Expr): Step {
    switch (expression.kind) {
      case "literal": {
        const { value } = expression;
        const constant: CelValue = typeof value === "object" && value !== null && "uint" in value ? new CelUint(value.uint) : value;
        return () => constant;
      }
      case "ident":
        return this.#name(expression) ?? (() => new CelFailure(`no such attribute: ${expression.name}`));
      case "select":
        return this.#name(expression) ?? this.#select(expression);
      case "call":
        return this.#call(expression);
      case "logic":
        return this.#logic(expression);
      case "list":
        return this.#list(expression);
      case "map":
        return this.#map(expression);
      case "struct":
        return () => NO_SUCH_OVERLOAD;
      case "fold":
        return this.#fold(expression);
      case "bind": {
        const value = this.step(expression.value);
        const place = this.#open(expression.variable);
        const body = this.step(expression.body);
        this.#places.pop();
        return (frame) => {
          frame.locals[place] = value(frame);
          return body(frame);
        };
      }
    }
  }

  #open(name: string): number {
    const place = this.#nextPlace++;
    this.#places.push([name, place]);
    return place;
  }

  #name(expression: Expr): Step | undefined {
    const meaning = this.#checked.names.get(expression);
    if (meaning === undefined) return undefined;
    switch (meaning.kind) {
      case "type": {
        const value = new CelTypeValue(meaning.name);
        return ({ budget }) => {
          budget.charge(1);
          return value;
        };
      }
      case "variable": {
        const { name } = meaning;
        return ({ budget, variable }) => {
          budget.charge(1);
          return variable(name);
        };
      }
      case "local": {
        const name = expression.kind === "ident" ? expression.name : "";
        const place = this.#places.findLast(([known]) => known === name)?.[1] ?? 0;
        return ({ budget, locals }) => {
          budget.charge(1);
          return locals[place] ?? null;
        };
      }
    }
  }

  #select({ operand, field, mode }: SelectExpr): Step {
    const inner = this.step(operand);
    // A test of presence is free.
    const cost = mode === "test" ? 0 : 1;
    return (frame) => {
      const value = inner(frame);
      if (value instanceof CelFailure) return value;
      frame.budget.charge(cost);
      switch (mode) {
        case "test":
          return hasField(value, field);
        case "optional":
          return findOptional(value, field);
        case "value":
          return payFor(selectField(value, field), frame.budget);
      }
    };
  }

  #call(expression: CallExpr): Step {
    const meaning = this.#checked.calls.get(expression);
    if (meaning === undefined) return () => NO_SUCH_OVERLOAD;
    const args = meaning.args.map((arg) => this.step(arg));
    const [first, second, third] = args;
    if (first !== undefined && second !== undefined) {
      if (expression.function === "_?_:_" && third !== undefined) return conditional(first, second, third);
      if (expression.function === "or" || expression.function === "orValue") return optionalOr(first, second, expression.function === "orValue");
    }
    if (expression.function === "@not_strictly_false" && first !== undefined) {
      return (frame) => {
        const value = first(frame);
        frame.budget.charge(1);
        return value !== false;
      };
    }
    if (first !== undefined && second === undefined) return call1(meaning, first);
    if (first !== undefined && second !== undefined && third === undefined) return call2(meaning, first, second);
    return callMany(meaning, args);
  }

  #logic({ operator, terms }: LogicExpr): Step {
    const steps = terms.map((term) => this.step(term));
    const decisive = operator === "||";
    return (frame) => {
      let failure: CelFailure | undefined;
      for (const step of steps) {
        const value = step(frame);
        if (value === decisive) return decisive;
        if (value !== !decisive) failure ??= value instanceof CelFailure ? value : NO_SUCH_OVERLOAD;
      }
      return failure ?? !decisive;
    };
  }

  #list({ items }: ListExpr): Step {
    const steps = items.map(({ value, isOptional }) => ({ step: this.step(value), isOptional }));
    const constant = constantList(items.map(({ value }) => value));
    if (constant !== undefined && !items.some(({ isOptional }) => isOptional)) return () => constant;
    return (frame) => {
      const values: CelValue[] = [];
      for (const { step, isOptional } of steps) {
        const value = step(frame);
        if (value instanceof CelFailure) return value;
        if (!isOptional) values.push(value);
        else if (!(value instanceof CelOptional)) return NO_SUCH_OVERLOAD;
        else if (value.value !== undefined) values.push(value.value);
      }
      frame.budget.charge(LIST_COST);
      return new ValueList(values);
    };
  }

  #map({ entries }: MapExpr): Step {
    const steps = entries.map(({ key, value, isOptional }) => ({ key: this.step(key), value: this.step(value), isOptional }));
    return (frame) => {
      const map = new Map<string | boolean | bigint, readonly [MapKey, CelValue]>();
      for (const entry of steps) {
        const key = entry.key(frame);
        if (key instanceof CelFailure) return key;
        const value = entry.value(frame);
        if (value instanceof CelFailure) return value;
        const present = entry.isOptional && value instanceof CelOptional ? value.value : value;
        if (present === undefined) continue;
        const failure = addEntry(map, key, present);
        if (failure !== undefined) return failure;
      }
      frame.budget.charge(MAP_COST);
      return new ValueMap(map);
    };
  }

  #fold(expression: FoldExpr): Step {
    const range = this.step(expression.range);
    const isListBuilt = expression.initial.kind === "list" && expression.initial.items.length === 0;
    const initial = isListBuilt ? (): CelResult => new ListBuilder() : this.step(expression.initial);
    const accumulator = this.#open(ACCUMULATOR);
    const first = this.#open(expression.variable);
    const second = expression.variable2 === undefined ? undefined : this.#open(expression.variable2);
    const condition = expression.condition.kind === "literal" ? undefined : this.step(expression.condition);
    const step = this.step(expression.step);
    this.#places.pop();
    if (second !== undefined) this.#places.pop();
    const result = this.step(expression.result);
    this.#places.pop();

    return (frame) => {
      const { budget, locals } = frame;
      const iterated = range(frame);
      if (iterated instanceof CelFailure) return iterated;
      let accumulated = initial(frame);
      locals[accumulator] = accumulated;
      const next = (one: CelResult, other: CelResult | undefined): boolean => {
        locals[first] = one;
        if (second !== undefined) locals[second] = other ?? null;
        if (condition !== undefined && condition(frame) === false) return false;
        accumulated = step(frame);
        locals[accumulator] = accumulated;
        // Only conditions look past a failure.
        return condition !== undefined || !(accumulated instanceof CelFailure);
      };
      if (iterated instanceof CelList) {
        for (let i = 0; i < iterated.size; i++) {
          const item = payFor(iterated.at(i), budget);
          if (!(second === undefined ? next(item, undefined) : next(BigInt(i), item))) break;
        }
      } else if (iterated instanceof CelMap) {
        budget.charge(iterated.size * 0.1);
        for (const key of iterated.keys()) if (!next(key, second === undefined ? undefined : iterated.find(key))) break;
      } else return NO_SUCH_OVERLOAD;
      const value = result(frame);
      if (accumulated instanceof ListBuilder) accumulated.isOpen = false;
      return value;
    };
  }
}

/** Bytes are decoded from text whenever they are read. */
function payFor(result: CelResult, budget: CelBudget): CelResult {
  if (result instanceof Uint8Array) budget.charge(result.length * 0.01);
  return result;
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const value = condition(frame);
    if (value === true) return yes(frame);
    if (value === false) return no(frame);
    return value instanceof CelFailure ? value : NO_SUCH_OVERLOAD;
  };
}

/** `or` and `orValue` look at their argument only if they need it. */
function optionalOr(optional: Step, other: Step, isUnwrapped: boolean): Step {
  return (frame) => {
    const value = optional(frame);
    if (value instanceof CelFailure) return value;
    if (!(value instanceof CelOptional)) return NO_SUCH_OVERLOAD;
    if (value.value === undefined) return other(frame);
    return isUnwrapped ? value.value : value;
  };
}

function hasField(value: CelValue, field: string): CelResult {
  if (value instanceof CelOptional) return value.value === undefined ? false : hasField(value.value, field);
  if (!(value instanceof CelMap)) return NO_SUCH_OVERLOAD;
  const found = value.find(field);
  return found instanceof CelFailure ? found : found !== undefined;
}

function selectField(value: CelValue, field: string): CelResult {
  if (value instanceof CelOptional) return findOptional(value, field);
  return value instanceof CelMap ? indexOf(value, field) : NO_SUCH_OVERLOAD;
}

function addEntry(map: Map<string | boolean | bigint, readonly [MapKey, CelValue]>, key: CelValue, value: CelValue): CelFailure | undefined {
  const known = keyOf(key);
  if (known === undefined || typeof key === "number" || !isMapKey(key)) return new CelFailure("unsupported key type");
  if (map.has(known)) return new CelFailure("Failed with repeated key");
  map.set(known, [key, value]);
  return undefined;
}

function isMapKey(key: CelValue): key is MapKey {
  return typeof key === "string" || typeof key === "boolean" || typeof key === "bigint" || key instanceof CelUint;
}

/** A list of nothing but constants, which costs nothing to make. */
function constantList(items: readonly Expr[]): CelList | undefined {
  const values: CelValue[] = [];
  for (const item of items) {
    if (item.kind !== "literal") return undefined;
    const { value } = item;
    values.push(typeof value === "object" && value !== null && "uint" in value ? new CelUint(value.uint) : value);
  }
  return new ValueList(values);
}

function pay({ cost }: Overload, budget: CelBudget, args: readonly CelValue[]): void {
  budget.charge(cost === undefined ? 1 : cost(...args));
}

function call1({ overloads }: CallMeaning, first: Step): Step {
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

function call2({ overloads }: CallMeaning, first: Step, second: Step): Step {
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

function callMany({ overloads }: CallMeaning, args: readonly Step[]): Step {
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
