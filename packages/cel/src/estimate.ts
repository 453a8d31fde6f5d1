import { ACCUMULATOR, type CallExpr, type Expr, type FoldExpr } from "./ast.ts";
import type { Checked } from "./checker.ts";
import { capped, estimateCall, MOST, sum, type EstimatedArgument, type Size } from "./estimate-call.ts";
import type { Overload } from "./functions.ts";
import { DYN, type CelType } from "./types.ts";
import { lengthOf } from "./values.ts";

/**
 * What an expression may cost at most, as upstream estimates it from the sizes that the schema allows: which rules a
 * definition may have depends on it, so it follows upstream's in its oddities, too.
 */
export function estimateCost(expression: Expr, checked: Checked, root: CelType): number {
  return new Estimator(checked, root).cost(expression);
}

/** A part of the schema that an expression leads to: its type there, or null if there is no such part. */
type Path = CelType | null;

interface Entry {
  readonly key: Size;
  readonly value: Size;
}

interface Local {
  readonly name: string;
  readonly path: Path | undefined;
  readonly size: Size | undefined;
  readonly entry: Entry | undefined;
}

const UNKNOWN: Size = { min: 0, max: MOST };
const ONE: Size = { min: 1, max: 1 };

class Estimator {
  readonly #checked: Checked;
  readonly #root: CelType;
  readonly #paths = new Map<Expr, Path | undefined>();
  readonly #sizes = new Map<Expr, Size>();
  readonly #entries = new Map<Expr, Entry>();
  readonly #locals: Local[] = [];

  constructor(checked: Checked, root: CelType) {
    this.#checked = checked;
    this.#root = root;
  }

  cost(expression: Expr): number {
    switch (expression.kind) {
      case "literal":
        return 0;
      case "ident": {
        const local = this.#local(expression.name);
        this.#paths.set(expression, local === undefined ? this.#root : local.path);
        return 1;
      }
      case "select": {
        const operand = this.cost(expression.operand);
        if (expression.mode === "test") return operand;
        this.#paths.set(expression, this.#fieldOf(this.#pathOf(expression.operand), expression.field));
        const { kind } = this.#type(expression.operand);
        return capped(operand + (expression.mode === "optional" || kind === "map" || kind === "object" || kind === "param" ? 1 : 0));
      }
      case "call":
        return this.#call(expression);
      case "logic":
        return sum(expression.terms.map((term) => this.cost(term)));
      case "list":
        return this.#list(
          expression.items.map(({ value }) => value),
          expression,
        );
      case "map":
        return this.#map(expression.entries, expression);
      case "struct":
        return sum([40, ...expression.fields.map(({ value }) => this.cost(value))]);
      case "fold":
        return this.#fold(expression);
      case "bind": {
        const value = this.cost(expression.value);
        this.#locals.push({
          name: expression.variable,
          path: this.#pathOf(expression.value),
          size: this.#size(expression.value),
          entry: this.#entry(expression.value),
        });
        const body = this.cost(expression.body);
        this.#locals.pop();
        this.#setSize(expression, this.#size(expression.body));
        this.#setEntry(expression, this.#entry(expression.body));
        return sum([10, value, body]);
      }
    }
  }

  #local(name: string): Local | undefined {
    return this.#locals.findLast((local) => local.name === name);
  }

  #type(expression: Expr): CelType {
    return this.#checked.types.get(expression) ?? DYN;
  }

  #pathOf(expression: Expr): Path | undefined {
    if (expression.kind === "ident") {
      const local = this.#local(expression.name);
      if (local !== undefined) return local.path;
    }
    return this.#paths.get(expression);
  }

  /** A part of what has no path is taken for a part of the root, as upstream has it. */
  #fieldOf(path: Path | undefined, field: string): Path {
    if (path === undefined) return this.#root;
    if (path === null) return null;
    return path.kind === "object" ? (path.fields.get(field)?.type ?? null) : null;
  }

  #within(path: Path | undefined, part: "key" | "item" | "index"): Path {
    if (path === undefined) return this.#root;
    if (path?.kind === "list") return part === "item" ? path.items : null;
    if (path?.kind === "map") return part === "key" ? path.key : part === "item" ? path.value : null;
    return null;
  }

  #size(expression: Expr): Size | undefined {
    const known = this.#sizes.get(expression);
    if (known !== undefined) return known;
    const written = sizeOfLiteral(expression);
    if (written !== undefined) return written;
    const path = this.#pathOf(expression);
    if (path !== undefined && path !== null) return { min: 0, max: sizeOfType(path) };
    if (isScalar(this.#type(expression))) return ONE;
    return expression.kind === "ident" ? this.#local(expression.name)?.size : undefined;
  }

  #sizeOrUnknown(expression: Expr): Size {
    return this.#size(expression) ?? UNKNOWN;
  }

  #setSize(expression: Expr, size: Size | undefined): void {
    if (size !== undefined) this.#sizes.set(expression, size);
  }

  #entry(expression: Expr): Entry | undefined {
    const known = this.#entries.get(expression);
    return known ?? (expression.kind === "ident" ? this.#local(expression.name)?.entry : undefined);
  }

  #setEntry(expression: Expr, entry: Entry | undefined): void {
    if (entry !== undefined) this.#entries.set(expression, entry);
  }

  #union(sizes: readonly Size[]): Size {
    if (sizes.length === 0) return { min: 0, max: 0 };
    return { min: Math.min(...sizes.map(({ min }) => min)), max: Math.max(...sizes.map(({ max }) => max)) };
  }

  #list(items: readonly Expr[], expression: Expr): number {
    const cost = sum([10, ...items.map((item) => this.cost(item))]);
    this.#setEntry(expression, { key: ONE, value: this.#union(items.map((item) => this.#sizeOrUnknown(item))) });
    return cost;
  }

  #map(entries: readonly { readonly key: Expr; readonly value: Expr }[], expression: Expr): number {
    const cost = sum([30, ...entries.flatMap(({ key, value }) => [this.cost(key), this.cost(value)])]);
    this.#setEntry(expression, {
      key: this.#union(entries.map(({ key }) => this.#sizeOrUnknown(key))),
      value: this.#union(entries.map(({ value }) => this.#sizeOrUnknown(value))),
    });
    return cost;
  }

  #fold(expression: FoldExpr): number {
    const { range, initial } = expression;
    const before = sum([this.cost(range), this.cost(initial)]);
    const depth = this.#locals.length;
    this.#locals.push({ name: ACCUMULATOR, path: this.#pathOf(initial), size: this.#size(initial), entry: this.#entry(initial) });
    this.#locals.push(...this.#iterated(expression));
    const loop = this.cost(expression.condition);
    const step = this.cost(expression.step);
    this.#locals.length = depth + 1;
    const result = this.cost(expression.result);
    this.#locals.length = depth;
    const count = this.#sizeOrUnknown(range);
    if (initial.kind === "literal") this.#setSize(expression, this.#size(initial));
    if (initial.kind === "list" || initial.kind === "map") {
      this.#setSize(expression, count);
      this.#setEntry(expression, this.#entry(expression.step));
    }
    return sum([before, result, capped(count.max * capped(step + loop))]);
  }

  #iterated({ range, variable, variable2 }: FoldExpr): Local[] {
    const entry = this.#entry(range);
    const path = this.#pathOf(range);
    const isList = this.#type(range).kind === "list";
    if (variable2 === undefined) {
      const one = { name: variable, path: this.#within(path, isList ? "item" : "key"), size: isList ? entry?.value : entry?.key, entry: undefined };
      return [one];
    }
    return [
      { name: variable, path: this.#within(path, isList ? "index" : "key"), size: entry?.key, entry: undefined },
      { name: variable2, path: this.#within(path, "item"), size: entry?.value, entry: undefined },
    ];
  }

  #call(expression: CallExpr): number {
    const { overloads, args } = this.#checked.calls.get(expression) ?? { overloads: [], args: [] };
    const costs = args.map((arg) => this.cost(arg));
    const [first, second, third] = args;
    if (overloads.length === 0) return 0;
    if (expression.function === "dyn" && first !== undefined) {
      this.#setSize(expression, this.#size(first));
      this.#setEntry(expression, this.#entry(first));
      return sum([1, ...costs]);
    }
    if (expression.function === "_?_:_" && second !== undefined && third !== undefined) {
      this.#setSize(expression, this.#union([this.#sizeOrUnknown(second), this.#sizeOrUnknown(third)]));
      this.#setEntry(expression, this.#unionEntries(second, third));
      return sum([costs[0] ?? 0, Math.max(costs[1] ?? 0, costs[2] ?? 0)]);
    }
    if (expression.function === "_+_" && first !== undefined && second !== undefined) this.#setEntry(expression, this.#unionEntries(first, second));
    const described = args.map((arg) => this.#describe(arg));
    const estimates = overloads.map((overload) => this.#overload(expression, overload, described));
    return sum([...costs, Math.max(...estimates)]);
  }

  /** What one way to call it costs; its result's size is remembered. */
  #overload(expression: CallExpr, overload: Overload, args: readonly EstimatedArgument[]): number {
    const { cost, size } = estimateCall(expression.function, overload, args);
    const [first] = args;
    const isIndex = expression.function === "_[_]" && first !== undefined;
    if (isIndex && overload.args[0]?.kind !== "optional") this.#paths.set(expression, this.#within(this.#pathOf(first.expression), "item"));
    const result = isIndex ? this.#entry(first.expression)?.value : size;
    const known = this.#sizes.get(expression);
    if (result !== undefined) this.#setSize(expression, known === undefined ? result : this.#union([known, result]));
    return cost;
  }

  #unionEntries(a: Expr, b: Expr): Entry | undefined {
    const [one, other] = [this.#entry(a), this.#entry(b)];
    if (one === undefined || other === undefined) return undefined;
    return { key: this.#union([one.key, other.key]), value: this.#union([one.value, other.value]) };
  }

  #describe(expression: Expr): EstimatedArgument {
    const path = this.#pathOf(expression);
    const type = this.#type(expression);
    const items = path?.kind === "list" ? { min: 0, max: sizeOfType(path.items) } : undefined;
    return { expression, type, size: this.#sizeOrUnknown(expression), items };
  }
}

function sizeOfLiteral(expression: Expr): Size | undefined {
  if (expression.kind === "list") return { min: expression.items.length, max: expression.items.length };
  if (expression.kind === "map") return { min: expression.entries.length, max: expression.entries.length };
  if (expression.kind !== "literal") return undefined;
  const { value } = expression;
  const length = typeof value === "string" ? lengthOf(value) : value instanceof Uint8Array ? value.length : 1;
  return { min: length, max: length };
}

function sizeOfType(type: CelType): number {
  return "maxSize" in type ? (type.maxSize ?? 0) : 0;
}

function isScalar(type: CelType): boolean {
  if (type.kind === "optional") return isScalar(type.of);
  return (
    type.kind === "bool" ||
    type.kind === "double" ||
    type.kind === "duration" ||
    type.kind === "int" ||
    type.kind === "timestamp" ||
    type.kind === "uint"
  );
}
