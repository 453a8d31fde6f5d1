import type { Expr } from "./ast.ts";
import type { CelBudget } from "./budget.ts";
import { check, type Checked } from "./checker.ts";
import { fromJson, toJson } from "./convert.ts";
import { CelError, compileError } from "./errors.ts";
import { prepare } from "./evaluator.ts";
import { SyntaxIssue } from "./token.ts";
import { library, namedTypes } from "./library/index.ts";
import { literalIssues } from "./literal-issues.ts";
import { parse } from "./parser.ts";
import { DYN, formatType, type CelType } from "./types.ts";
import { sameType } from "./unify.ts";
import { CelFailure, type CelResult, type CelValue } from "./values.ts";

/** What an expression may refer to, and what it must give. */
export interface CompileOptions {
  readonly variables: Readonly<Record<string, CelType>>;
  /** Another type than this is a mistake. */
  readonly expected?: CelType;
}

/**
 * A compiled expression. Bindings are plain JSON, converted lazily by the declared types (an integer of the schema becomes
 * an int, a number a double), or functions that are called when, and only if, the value is needed. The same holds
 * for the fields of objects inside.
 */
export interface CelProgram {
  readonly expression: string;
  /** What the expression evaluates to. */
  readonly type: CelType;
  /** Which of the declared variables it names. */
  readonly references: ReadonlySet<string>;
  /**
   * The value as JSON: an int or a uint is a bigint, bytes are base64, durations and timestamps are text, an optional
   * is its value or undefined. Throws a CelError of kind `evaluation` or `cost`.
   */
  evaluate(bindings: Readonly<Record<string, unknown>>, budget: CelBudget): unknown;
  /** The value as it is, fit to be bound to a variable of another expression. */
  evaluateRaw(bindings: Readonly<Record<string, unknown>>, budget: CelBudget): CelValue;
}

/** An expression that has been parsed and checked. */
export interface CheckedExpression {
  readonly expression: Expr;
  readonly checked: Checked;
}

/** Parses and checks an expression; throws a CelError of kind `compile` that names each mistake. */
export function compileCel(expression: string, options: CompileOptions): CelProgram {
  const checked = checkCel(expression, options);
  const { type } = checked.checked;
  if (options.expected !== undefined && !sameType(type, options.expected)) {
    throw new CelError("compile", `must evaluate to ${formatType(options.expected)}`);
  }
  return programOf(expression, checked, options);
}

/** Parses and checks an expression, as `compileCel` does before it makes the program. */
export function checkCel(source: string, options: CompileOptions): CheckedExpression {
  let expression: Expr;
  try {
    expression = parse(source);
  } catch (error) {
    if (error instanceof SyntaxIssue) throw compileError(source, [{ offset: error.offset, message: error.message }]);
    throw error;
  }
  const variables = new Map(Object.entries(options.variables));
  const checked = check(expression, { variables, types: namedTypes, library });
  const issues = checked.issues.length > 0 ? checked.issues : literalIssues(expression, checked);
  if (issues.length > 0) throw compileError(source, issues);
  return { expression, checked };
}

/** The program of an expression that has been checked. */
export function programOf(source: string, { expression, checked }: CheckedExpression, { variables }: CompileOptions): CelProgram {
  const step = prepare(expression, checked);
  const evaluateRaw = (bindings: Readonly<Record<string, unknown>>, budget: CelBudget): CelValue => {
    const known = new Map<string, CelResult>();
    const variable = (name: string): CelResult => {
      let value = known.get(name);
      if (value === undefined) {
        value = Object.hasOwn(bindings, name) ? fromJson(bindings[name], variables[name] ?? DYN) : new CelFailure(`no such attribute: ${name}`);
        known.set(name, value);
      }
      return value;
    };
    budget.beginCall();
    const result = step({ budget, variable, locals: [] });
    if (result instanceof CelFailure) throw new CelError("evaluation", result.message);
    return result;
  };
  return {
    expression: source,
    type: checked.type,
    references: checked.references,
    evaluateRaw,
    evaluate: (bindings, budget) => toJson(evaluateRaw(bindings, budget), budget),
  };
}
