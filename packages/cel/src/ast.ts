/** A constant that stands in an expression. */
export type Literal = boolean | bigint | number | string | null | Uint8Array | { readonly uint: bigint };

interface Node {
  /** Where it stands in the text, in UTF-16 units: what an error about it points at. */
  readonly offset: number;
  /** The longest way down, in nodes: bounded, so that everything after the parser may recurse. */
  readonly height: number;
}

/** A constant. */
export interface LiteralExpr extends Node {
  readonly kind: "literal";
  readonly value: Literal;
}

/** A name; one that begins with a dot is looked up outside all macros. */
export interface IdentExpr extends Node {
  readonly kind: "ident";
  readonly name: string;
}

/** `operand.field`, `operand.?field` or `has(operand.field)`. */
export interface SelectExpr extends Node {
  readonly kind: "select";
  readonly operand: Expr;
  readonly field: string;
  readonly mode: "value" | "optional" | "test";
}

/** A function, method or operator; operators are named as upstream names them, such as `_+_`. */
export interface CallExpr extends Node {
  readonly kind: "call";
  readonly function: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

/** A chain of `&&` or of `||`. */
export interface LogicExpr extends Node {
  readonly kind: "logic";
  readonly operator: "&&" | "||";
  readonly terms: readonly Expr[];
}

/** `[a, ?b]`. */
export interface ListExpr extends Node {
  readonly kind: "list";
  readonly items: readonly { readonly value: Expr; readonly isOptional: boolean }[];
}

/** `{k: v, ?k: v}`. */
export interface MapExpr extends Node {
  readonly kind: "map";
  readonly entries: readonly { readonly key: Expr; readonly value: Expr; readonly isOptional: boolean }[];
}

/** `Type{field: value}`. */
export interface StructExpr extends Node {
  readonly kind: "struct";
  readonly name: string;
  readonly fields: readonly { readonly name: string; readonly value: Expr; readonly isOptional: boolean; readonly offset: number }[];
}

/** What a macro like `all` or `map` becomes: a fold over a list, or over the keys of a map. */
export interface FoldExpr extends Node {
  readonly kind: "fold";
  readonly range: Expr;
  readonly variable: string;
  /** With a second variable the first one is the index or key, and this the value. */
  readonly variable2: string | undefined;
  readonly initial: Expr;
  /** The fold ends before an item for which this is false. */
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}

/** A value that is computed once and named. */
interface BindExpr extends Node {
  readonly kind: "bind";
  readonly variable: string;
  readonly value: Expr;
  readonly body: Expr;
}

/** An expression. */
export type Expr = LiteralExpr | IdentExpr | SelectExpr | CallExpr | LogicExpr | ListExpr | MapExpr | StructExpr | FoldExpr | BindExpr;

/** The name of a fold's accumulator, which no text can spell. */
export const ACCUMULATOR = "@result";

/** An expression without its height, which `node` computes. */
type Shape<E extends Expr = Expr> = E extends Expr ? Omit<E, "height"> : never;

/** Completes an expression with its height. */
export function node<E extends Shape>(shape: E): E & { readonly height: number } {
  let height = 0;
  for (const child of childrenOf(shape)) height = Math.max(height, child.height);
  return { ...shape, height: height + 1 };
}

/** The expressions that stand directly in an expression. */
export function childrenOf(expression: Shape): readonly Expr[] {
  switch (expression.kind) {
    case "literal":
    case "ident":
      return [];
    case "select":
      return [expression.operand];
    case "call":
      return expression.target === undefined ? expression.args : [expression.target, ...expression.args];
    case "logic":
      return expression.terms;
    case "list":
      return expression.items.map(({ value }) => value);
    case "map":
      return expression.entries.flatMap(({ key, value }) => [key, value]);
    case "struct":
      return expression.fields.map(({ value }) => value);
    case "fold":
      return [expression.range, expression.initial, expression.condition, expression.step, expression.result];
    case "bind":
      return [expression.value, expression.body];
  }
}
