import { ACCUMULATOR, type CallExpr, type Expr, type FoldExpr, type ListExpr, type LogicExpr, type MapExpr, type SelectExpr } from "./ast.ts";
import type { Checked } from "./checker.ts";
import { addEntry, constantOf } from "./constant.ts";
import { findOptional, indexOf, ListBuilder } from "./library/operators.ts";
import {
  call1,
  call2,
  callMany,
  conditional,
  foldConversion,
  foldMembership,
  hasField,
  index,
  notStrictlyFalse,
  optionalOr,
  payFor,
  selectField,
  type Step,
} from "./steps.ts";
import {
  CelFailure,
  CelList,
  CelMap,
  CelOptional,
  CelTypeValue,
  NO_SUCH_OVERLOAD,
  ValueList,
  ValueMap,
  type CelResult,
  type CelValue,
  type MapKey,
} from "./values.ts";

const LIST_COST = 10;
const MAP_COST = 30;
/** Some steps are free; a fold over many items must not be. */
const ITERATION_COST = 0.05;

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
    const folded = foldConversion(expression, meaning) ?? foldMembership(expression, (item) => this.step(item));
    if (folded !== undefined) return folded;
    if (expression.function === "_?_:_") {
      const [condition, yes, no] = meaning.args;
      if (condition !== undefined && yes !== undefined && no !== undefined)
        return conditional(this.step(condition), this.#branch(yes), this.#branch(no));
    }
    const args = meaning.args.map((arg) => this.step(arg));
    const [first, second] = args;
    if (first === undefined) return callMany(meaning, args);
    if (expression.function === "@not_strictly_false") return notStrictlyFalse(first);
    if (second === undefined) return call1(meaning, first);
    if (expression.function === "or" || expression.function === "orValue") return optionalOr(first, second, expression.function === "orValue");
    return args.length === 2 ? call2(meaning, first, second) : callMany(meaning, args);
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
        budget.charge(iterated.size * 0.25);
        for (const key of iterated.keys()) if (!next(key, second === undefined ? undefined : iterated.find(key))) break;
      } else return NO_SUCH_OVERLOAD;
      const value = result(frame);
      if (accumulated instanceof ListBuilder) accumulated.isOpen = false;
      return value;
    };
  }
}

function isIndex(expression: Expr): boolean {
  return expression.kind === "call" && expression.target === undefined && (expression.function === "_[_]" || expression.function === "_[?_]");
}

function isName(expression: Expr): boolean {
  return expression.kind === "ident" || (expression.kind === "select" && expression.mode !== "test") || isIndex(expression);
}
