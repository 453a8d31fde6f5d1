import { ACCUMULATOR, node, type Expr } from "./ast.ts";
import { SyntaxIssue } from "./token.ts";

/** What a call becomes that is a macro; undefined if it is none. Offsets of what is made up are that of the call. */
export function expandMacro(offset: number, name: string, target: Expr | undefined, args: readonly Expr[]): Expr | undefined {
  if (target === undefined) return name === "has" && args.length === 1 ? expandHas(offset, args[0]) : undefined;
  const make = new MacroFactory(offset);
  const [a, b, c, d] = args;
  if (a === undefined || b === undefined) return undefined;
  switch (`${name}/${args.length}`) {
    case "all/2":
      return make.all(target, [iterationVariable(a)], b);
    case "exists/2":
      return make.exists(target, [iterationVariable(a)], b);
    case "exists_one/2":
    case "existsOne/2":
      return make.existsOne(target, [iterationVariable(a)], b);
    case "map/2":
      return make.list(target, [iterationVariable(a)], undefined, b);
    case "filter/2":
      return make.list(target, [iterationVariable(a)], b, a);
    case "optMap/2":
      return make.optMap(target, simpleName(a, "optMap() variable name must be a simple identifier"), b, true);
    case "optFlatMap/2":
      return make.optMap(target, simpleName(a, "optFlatMap() variable name must be a simple identifier"), b, false);
    case "sortBy/2":
      return make.sortBy(target, iterationVariable(a), b);
  }
  if (c === undefined) return undefined;
  switch (`${name}/${args.length}`) {
    case "map/3":
      return make.list(target, [iterationVariable(a)], b, c);
    case "all/3":
      return make.all(target, twoVariables(a, b), c);
    case "exists/3":
      return make.exists(target, twoVariables(a, b), c);
    case "exists_one/3":
    case "existsOne/3":
      return make.existsOne(target, twoVariables(a, b), c);
    case "transformList/3":
      return make.list(target, twoVariables(a, b), undefined, c);
    case "transformMap/3":
      return make.map(target, twoVariables(a, b), undefined, [a, c]);
    case "transformMapEntry/3":
      return make.map(target, twoVariables(a, b), undefined, [c]);
  }
  if (d === undefined) return undefined;
  switch (`${name}/${args.length}`) {
    case "transformList/4":
      return make.list(target, twoVariables(a, b), c, d);
    case "transformMap/4":
      return make.map(target, twoVariables(a, b), c, [a, d]);
    case "transformMapEntry/4":
      return make.map(target, twoVariables(a, b), c, [d]);
  }
  return undefined;
}

type Variables = readonly [string] | readonly [string, string];

/** Writes out macros as folds. */
class MacroFactory {
  readonly #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  all(range: Expr, variables: Variables, predicate: Expr): Expr {
    const step = node({ kind: "logic", operator: "&&", terms: [this.#accumulator(), predicate], offset: this.#offset });
    return this.#fold(range, variables, this.#literal(true), this.#call("@not_strictly_false", this.#accumulator()), step);
  }

  exists(range: Expr, variables: Variables, predicate: Expr): Expr {
    const step = node({ kind: "logic", operator: "||", terms: [this.#accumulator(), predicate], offset: this.#offset });
    const condition = this.#call("@not_strictly_false", this.#call("!_", this.#accumulator()));
    return this.#fold(range, variables, this.#literal(false), condition, step);
  }

  existsOne(range: Expr, variables: Variables, predicate: Expr): Expr {
    const step = this.#call("_?_:_", predicate, this.#call("_+_", this.#accumulator(), this.#literal(1n)), this.#accumulator());
    const result = this.#call("_==_", this.#accumulator(), this.#literal(1n));
    return this.#fold(range, variables, this.#literal(0n), this.#literal(true), step, result);
  }

  list(range: Expr, variables: Variables, filter: Expr | undefined, item: Expr): Expr {
    const list = (items: readonly Expr[]): Expr =>
      node({ kind: "list", items: items.map((value) => ({ value, isOptional: false })), offset: this.#offset });
    const added = this.#call("_+_", this.#accumulator(), list([item]));
    return this.#fold(range, variables, list([]), this.#literal(true), this.#filtered(filter, added));
  }

  map(range: Expr, variables: Variables, filter: Expr | undefined, entry: readonly Expr[]): Expr {
    const added = this.#call("cel.@mapInsert", this.#accumulator(), ...entry);
    const empty = node({ kind: "map", entries: [], offset: this.#offset });
    return this.#fold(range, variables, empty, this.#literal(true), this.#filtered(filter, added));
  }

  /** Unlike upstream's, the target stands in it once: a chain of these must not double with every link. */
  optMap(target: Expr, variable: string, body: Expr, isWrapped: boolean): Expr {
    const name = "@optional";
    const optional = (): Expr => this.#ident(name);
    const bound = this.#bind(variable, this.#method("value", optional()), body);
    const some = isWrapped ? this.#call("optional.of", bound) : bound;
    return this.#bind(name, target, this.#call("_?_:_", this.#method("hasValue", optional()), some, this.#call("optional.none")));
  }

  sortBy(target: Expr, variable: string, key: Expr): Expr {
    const name = "@input";
    const keys = this.list(this.#ident(name), [variable], undefined, key);
    return this.#bind(name, target, this.#method("@sortByAssociatedKeys", this.#ident(name), keys));
  }

  #filtered(filter: Expr | undefined, step: Expr): Expr {
    return filter === undefined ? step : this.#call("_?_:_", filter, step, this.#accumulator());
  }

  #fold(range: Expr, [variable, variable2]: Variables, initial: Expr, condition: Expr, step: Expr, result: Expr = this.#accumulator()): Expr {
    return node({ kind: "fold", range, variable, variable2, initial, condition, step, result, offset: this.#offset });
  }

  #bind(variable: string, value: Expr, body: Expr): Expr {
    return node({ kind: "bind", variable, value, body, offset: this.#offset });
  }

  #accumulator(): Expr {
    return this.#ident(ACCUMULATOR);
  }

  #ident(name: string): Expr {
    return node({ kind: "ident", name, offset: this.#offset });
  }

  #literal(value: boolean | bigint): Expr {
    return node({ kind: "literal", value, offset: this.#offset });
  }

  #call(name: string, ...args: readonly Expr[]): Expr {
    return node({ kind: "call", function: name, target: undefined, args, offset: this.#offset });
  }

  #method(name: string, target: Expr, ...args: readonly Expr[]): Expr {
    return node({ kind: "call", function: name, target, args, offset: this.#offset });
  }
}

function expandHas(offset: number, arg: Expr | undefined): Expr {
  if (arg?.kind !== "select" || arg.mode !== "value") throw new SyntaxIssue(arg?.offset ?? offset, "invalid argument to has() macro");
  return node({ ...arg, mode: "test", offset });
}

function iterationVariable(arg: Expr): string {
  return simpleName(arg, "argument must be a simple name");
}

function twoVariables(a: Expr, b: Expr): Variables {
  const names: Variables = [iterationVariable(a), iterationVariable(b)];
  if (names[0] === names[1]) throw new SyntaxIssue(b.offset, `duplicate variable name: ${names[1]}`);
  return names;
}

function simpleName(arg: Expr, problem: string): string {
  if (arg.kind !== "ident" || arg.name.startsWith(".")) throw new SyntaxIssue(arg.offset, problem);
  if (arg.name === "__result__") throw new SyntaxIssue(arg.offset, "iteration variable overwrites accumulator variable");
  return arg.name;
}
