import type { CallExpr, Expr, FoldExpr, IdentExpr, ListExpr, LiteralExpr, MapExpr, SelectExpr, StructExpr } from "./ast.ts";
import type { Issue } from "./errors.ts";
import type { Library, Overload } from "./functions.ts";
import { BOOL, BYTES, DOUBLE, DYN, ERROR, formatType, INT, NULL, STRING, UINT, type CelType } from "./types.ts";
import { mostGeneral, sameType, Unifier } from "./unify.ts";

/** What a name stands for. */
type NameMeaning =
  | { readonly kind: "local" }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "type"; readonly name: string };

/** What a call means: the overloads that its arguments may fit, and the arguments, of which the target may be the first. */
export interface CallMeaning {
  readonly overloads: readonly Overload[];
  readonly args: readonly Expr[];
}

/** What the checker found out. */
export interface Checked {
  readonly type: CelType;
  readonly types: ReadonlyMap<Expr, CelType>;
  /** Of identifiers, and of selections that are names with dots. */
  readonly names: ReadonlyMap<Expr, NameMeaning>;
  readonly calls: ReadonlyMap<Expr, CallMeaning>;
  /** Which variables the expression names. */
  readonly references: ReadonlySet<string>;
  readonly issues: readonly Issue[];
}

/** What an expression may use. */
export interface Environment {
  readonly variables: ReadonlyMap<string, CelType>;
  readonly types: ReadonlyMap<string, CelType>;
  readonly library: Library;
}

/** Finds the type of every part of an expression. */
export function check(expression: Expr, environment: Environment): Checked {
  const checker = new Checker(environment);
  return checker.run(expression);
}

class Checker {
  readonly #environment: Environment;
  readonly #unifier = new Unifier();
  readonly #types = new Map<Expr, CelType>();
  readonly #names = new Map<Expr, NameMeaning>();
  readonly #calls = new Map<Expr, CallMeaning>();
  readonly #references = new Set<string>();
  readonly #issues: Issue[] = [];
  /** The variables of folds, innermost last. */
  readonly #scopes: Map<string, CelType>[] = [];

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  run(expression: Expr): Checked {
    this.#check(expression);
    const types = new Map<Expr, CelType>();
    for (const [part, type] of this.#types) types.set(part, this.#unifier.resolve(type, true));
    return {
      type: types.get(expression) ?? ERROR,
      types,
      names: this.#names,
      calls: this.#calls,
      references: this.#references,
      issues: this.#issues,
    };
  }

  #check(expression: Expr): CelType {
    const type = this.#typeOf(expression);
    this.#types.set(expression, type);
    return type;
  }

  #typeOf(expression: Expr): CelType {
    switch (expression.kind) {
      case "literal":
        return typeOfLiteral(expression);
      case "ident":
        return this.#ident(expression);
      case "select":
        return this.#select(expression);
      case "call":
        return this.#call(expression);
      case "logic":
        for (const term of expression.terms) this.#expect(term, BOOL, this.#check(term));
        return BOOL;
      case "list":
        return this.#list(expression);
      case "map":
        return this.#map(expression);
      case "struct":
        return this.#struct(expression);
      case "fold":
        return this.#fold(expression);
      case "bind": {
        const type = this.#check(expression.value);
        return this.#inScope([[expression.variable, type]], () => this.#check(expression.body));
      }
    }
  }

  #issue(at: { readonly offset: number }, message: string): CelType {
    this.#issues.push({ offset: at.offset, message });
    return ERROR;
  }

  #undeclared(at: Expr, name: string): CelType {
    return this.#issue(at, `undeclared reference to '${name}' (in container '')`);
  }

  #expect(at: Expr, expected: CelType, actual: CelType): void {
    if (this.#unifier.assign([[expected, actual]])) return;
    this.#issue(at, `expected type '${this.#format(expected)}' but found '${this.#format(actual)}'`);
  }

  #format(type: CelType): string {
    return formatType(this.#unifier.resolve(type, true));
  }

  #inScope<T>(variables: readonly (readonly [string, CelType])[], run: () => T): T {
    this.#scopes.push(new Map(variables));
    const result = run();
    this.#scopes.pop();
    return result;
  }

  #ident(expression: IdentExpr): CelType {
    const isGlobal = expression.name.startsWith(".");
    const local = isGlobal ? undefined : this.#local(expression.name);
    if (local !== undefined) {
      this.#names.set(expression, { kind: "local" });
      return local;
    }
    const name = isGlobal ? expression.name.slice(1) : expression.name;
    return this.#global(expression, name) ?? this.#undeclared(expression, expression.name);
  }

  #local(name: string): CelType | undefined {
    return this.#scopes.findLast((scope) => scope.has(name))?.get(name);
  }

  #global(expression: Expr, name: string): CelType | undefined {
    const variable = this.#environment.variables.get(name);
    if (variable !== undefined) {
      this.#names.set(expression, { kind: "variable", name });
      this.#references.add(name);
      return variable;
    }
    const type = this.#environment.types.get(name);
    if (type === undefined) return undefined;
    this.#names.set(expression, { kind: "type", name });
    return { kind: "type", of: type };
  }

  #select(expression: SelectExpr): CelType {
    const name = expression.mode === "value" ? qualifiedName(expression) : undefined;
    if (name !== undefined && this.#local(name.split(".", 1)[0] ?? "") === undefined) {
      const type = this.#global(expression, name.replace(/^\./, ""));
      if (type !== undefined) return type;
    }
    const operand = this.#unifier.resolve(this.#check(expression.operand));
    const target = operand.kind === "optional" ? operand.of : operand;
    const field = this.#field(expression, target);
    if (expression.mode === "test") return BOOL;
    return operand.kind === "optional" || expression.mode === "optional" ? { kind: "optional", of: field } : field;
  }

  #field(expression: SelectExpr, target: CelType): CelType {
    if (target.kind === "map") return target.value;
    if (target.kind === "object")
      return target.fields.get(expression.field)?.type ?? this.#issue(expression, `undefined field '${expression.field}'`);
    if (target.kind === "param") {
      this.#unifier.assign([[DYN, target]]);
      return DYN;
    }
    if (target.kind === "dyn" || target.kind === "error") return DYN;
    this.#issue(expression, `type '${formatType(target)}' does not support field selection`);
    return DYN;
  }

  #call(expression: CallExpr): CelType {
    const argTypes = expression.args.map((arg) => this.#check(arg));
    const { library } = this.#environment;
    const { target } = expression;
    if (target === undefined) {
      const name = expression.function.replace(/^\./, "");
      const overloads = library.get(name);
      if (overloads === undefined) return this.#undeclared(expression, expression.function);
      return this.#resolve(expression, name, overloads, expression.args, argTypes, false);
    }
    const prefix = qualifiedName(target);
    if (prefix !== undefined) {
      const name = `${prefix.replace(/^\./, "")}.${expression.function}`;
      const overloads = library.get(name);
      if (overloads !== undefined) return this.#resolve(expression, name, overloads, expression.args, argTypes, false);
    }
    const targetType = this.#check(target);
    const overloads = library.get(expression.function);
    if (overloads === undefined) return this.#undeclared(expression, expression.function);
    return this.#resolve(expression, expression.function, overloads, [target, ...expression.args], [targetType, ...argTypes], true);
  }

  #resolve(
    call: CallExpr,
    name: string,
    overloads: readonly Overload[],
    args: readonly Expr[],
    types: readonly CelType[],
    isMember: boolean,
  ): CelType {
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of overloads) {
      if (overload.isMember !== isMember || overload.args.length !== types.length) continue;
      const [own = DYN, ...parameters] = this.#unifier.instantiate([overload.result, ...overload.args]);
      if (!this.#unifier.assign(types.map((type, i) => [type, parameters[i] ?? DYN]))) continue;
      fitting.push(overload);
      const resolved = this.#unifier.resolve(own);
      if (result === undefined) result = resolved;
      else if (result.kind !== "dyn" && !sameType(result, resolved)) result = DYN;
    }
    if (result === undefined) {
      this.#calls.set(call, { overloads: overloads.filter((one) => one.isMember === isMember && one.args.length === types.length), args });
      const shown = types.map((type) => this.#format(type));
      const signature = isMember ? `${shown[0] ?? ""}.(${shown.slice(1).join(", ")})` : `(${shown.join(", ")})`;
      return this.#issue(call, `found no matching overload for '${name}' applied to '${signature}'`);
    }
    this.#calls.set(call, { overloads: fitting, args });
    return result;
  }

  #list(expression: ListExpr): CelType {
    let items: CelType | undefined;
    for (const { value, isOptional } of expression.items) items = this.#join(items, this.#element(value, isOptional));
    return { kind: "list", items: items ?? this.#unifier.fresh() };
  }

  #map(expression: MapExpr): CelType {
    let keys: CelType | undefined;
    let values: CelType | undefined;
    for (const { key, value, isOptional } of expression.entries) {
      keys = this.#join(keys, this.#check(key));
      values = this.#join(values, this.#element(value, isOptional));
    }
    return { kind: "map", key: keys ?? this.#unifier.fresh(), value: values ?? this.#unifier.fresh() };
  }

  /** The type of an item; what is marked as optional must be an optional, and is its value. */
  #element(value: Expr, isOptional: boolean): CelType {
    const type = this.#check(value);
    if (!isOptional) return type;
    const resolved = this.#unifier.resolve(type);
    if (resolved.kind === "optional") return resolved.of;
    if (resolved.kind !== "dyn" && resolved.kind !== "error") this.#expect(value, { kind: "optional", of: type }, type);
    return resolved;
  }

  #join(previous: CelType | undefined, current: CelType): CelType {
    if (previous === undefined) return current;
    return this.#unifier.assign([[previous, current]]) ? mostGeneral(previous, current) : DYN;
  }

  /** Kubernetes' types cannot be constructed by name. */
  #struct(expression: StructExpr): CelType {
    for (const { value } of expression.fields) this.#check(value);
    return this.#undeclared(expression, expression.name);
  }

  #fold(expression: FoldExpr): CelType {
    const range = this.#unifier.resolve(this.#check(expression.range));
    const accumulated = this.#check(expression.initial);
    const [first, second] = this.#iterated(expression, range);
    return this.#inScope([["@result", accumulated]], () => {
      const variables: [string, CelType][] = [[expression.variable, first]];
      if (expression.variable2 !== undefined) variables.push([expression.variable2, second]);
      this.#inScope(variables, () => {
        this.#expect(expression.condition, BOOL, this.#check(expression.condition));
        this.#expect(expression.step, accumulated, this.#check(expression.step));
      });
      return this.#unifier.resolve(this.#check(expression.result));
    });
  }

  /** The types of a fold's variables. */
  #iterated(expression: FoldExpr, range: CelType): readonly [CelType, CelType] {
    if (range.kind === "list") return expression.variable2 === undefined ? [range.items, DYN] : [INT, range.items];
    if (range.kind === "map") return [range.key, range.value];
    if (range.kind === "dyn" || range.kind === "error" || range.kind === "param") {
      this.#unifier.assign([[DYN, range]]);
      return [DYN, DYN];
    }
    this.#issue(expression.range, `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`);
    return [ERROR, ERROR];
  }
}

/** `a.b.c` as one name, if the expression is nothing but names and dots. */
function qualifiedName(expression: Expr): string | undefined {
  const parts: string[] = [];
  for (let part = expression; ; part = part.operand) {
    if (part.kind === "ident") return [part.name, ...parts.toReversed()].join(".");
    if (part.kind !== "select" || part.mode !== "value") return undefined;
    parts.push(part.field);
  }
}

function typeOfLiteral({ value }: LiteralExpr): CelType {
  if (typeof value === "boolean") return BOOL;
  if (typeof value === "bigint") return INT;
  if (typeof value === "number") return DOUBLE;
  if (typeof value === "string") return STRING;
  if (value === null) return NULL;
  return value instanceof Uint8Array ? BYTES : UINT;
}
