import { ACCUMULATOR, type CallExpr, type Expr, type FoldExpr, type ListExpr, type LogicExpr, type MapExpr, type SelectExpr } from "./ast.ts";
import { CelBudget } from "./budget.ts";
import type { CallMeaning, Checked } from "./checker.ts";
import { addEntry, constantOf } from "./constant.ts";
import { CelError } from "./errors.ts";
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
/** Some steps are free; a fold over many items must not be. */
const ITERATION_COST = 0.02;

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
    const constant = constantOf(expression);
    if (constant !== undefined) return () => constant;
    switch (expression.kind) {
      case "literal":
        return () => null;
      case "ident":
      case "select":
        return this.#attribute(expression, 1);
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

  /** What begins with a name; `cost` is that of the name, or of taking part of something that is no name. */
  #attribute(expression: Expr, cost: number): Step {
    const name = this.#name(expression, cost);
    if (name !== undefined) return name;
    if (expression.kind === "select") return this.#select(expression, cost);
    if (expression.kind === "call" && expression.target === undefined) {
      const [container, key] = expression.args;
      if (container !== undefined && key !== undefined) {
        if (expression.function === "_[_]") return index(this.#attribute(container, cost), this.step(key), indexOf);
        if (expression.function === "_[?_]") return index(this.#attribute(container, cost), this.step(key), findOptional);
      }
    }
    if (expression.kind === "ident") return () => new CelFailure(`no such attribute: ${expression.name}`);
    const step = this.step(expression);
    return (frame) => {
      const value = step(frame);
      frame.budget.charge(cost);
      return value;
    };
  }

  /** One of the two ways of a condition: if it is a name, that is free. */
  #branch(expression: Expr): Step {
    const isAttribute = expression.kind === "ident" || expression.kind === "select" || isIndex(expression);
    return isAttribute ? this.#attribute(expression, 0) : this.step(expression);
  }

  #name(expression: Expr, cost: number): Step | undefined {
    const meaning = this.#checked.names.get(expression);
    if (meaning === undefined) return undefined;
    switch (meaning.kind) {
      case "type": {
        const value = new CelTypeValue(meaning.name);
        return ({ budget }) => {
          budget.charge(cost);
          return value;
        };
      }
      case "variable": {
        const { name } = meaning;
        return ({ budget, variable }) => {
          budget.charge(cost);
          return variable(name);
        };
      }
      case "local": {
        const name = expression.kind === "ident" ? expression.name : "";
        const place = this.#places.findLast(([known]) => known === name)?.[1] ?? 0;
        return ({ budget, locals }) => {
          budget.charge(cost);
          return locals[place] ?? null;
        };
      }
    }
  }

  #select({ operand, field, mode }: SelectExpr, baseCost: number): Step {
    // A test of presence is free.
    const isTest = mode === "test";
    const inner = isTest && !isName(operand) ? this.step(operand) : this.#attribute(operand, baseCost);
    return (frame) => {
      const value = inner(frame);
      if (value instanceof CelFailure) return value;
      frame.budget.charge(isTest ? 0 : 1);
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
    if (isIndex(expression)) return this.#attribute(expression, 1);
    const folded = foldConversion(expression, meaning) ?? foldMembership(expression, meaning, (item) => this.step(item));
    if (folded !== undefined) return folded;
    const args = meaning.args.map((arg) => this.step(arg));
    const [first, second, third] = args;
    if (first !== undefined && second !== undefined) {
      const [, yes, no] = meaning.args;
      if (expression.function === "_?_:_" && yes !== undefined && no !== undefined) return conditional(first, this.#branch(yes), this.#branch(no));
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
        budget.charge(ITERATION_COST);
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

function index(container: Step, key: Step, find: (container: CelValue, key: CelValue) => CelResult): Step {
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
  const found = value instanceof CelMap ? value.find(field) : undefined;
  return found instanceof CelFailure ? found : found !== undefined;
}

function selectField(value: CelValue, field: string): CelResult {
  if (value instanceof CelOptional) return findOptional(value, field);
  return value instanceof CelMap ? indexOf(value, field) : NO_SUCH_OVERLOAD;
}

const CONVERSIONS = new Set(["bool", "bytes", "double", "duration", "int", "string", "timestamp", "uint"]);

/** The conversion of a constant, which is one itself. */
function foldConversion({ function: name, args }: CallExpr, { overloads }: CallMeaning): Step | undefined {
  const value = args.length === 1 && CONVERSIONS.has(name) && args[0] !== undefined ? constantOf(args[0]) : undefined;
  const overload = value === undefined ? undefined : overloads.find((one) => one.args[0] !== undefined && isOfType(value, one.args[0]));
  if (value === undefined || overload === undefined) return undefined;
  const result = overload.call(value, new CelBudget());
  if (result instanceof CelFailure) throw new CelError("compile", result.message);
  return () => result;
}

/** Whether something is among constants takes one look, however many there are. */
function foldMembership({ function: name, args: [item, list] }: CallExpr, _: CallMeaning, step: (item: Expr) => Step): Step | undefined {
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

function isIndex(expression: Expr): boolean {
  return expression.kind === "call" && expression.target === undefined && (expression.function === "_[_]" || expression.function === "_[?_]");
}

function isName(expression: Expr): boolean {
  return expression.kind === "ident" || (expression.kind === "select" && expression.mode !== "test") || isIndex(expression);
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
