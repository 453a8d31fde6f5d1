import { UserError } from "@sluice/kubernetes";
import { type ExecutorInput, isJsonObject, type JsonValue, parameterText } from "./executor-input.ts";

/** A value of an expression: JSON, whose numbers are doubles, or an int. */
export type ExpressionValue = JsonValue | bigint;

type Environment = Readonly<Record<string, JsonValue>>;
type Evaluate = (environment: Environment) => ExpressionValue;
type Fail = (problem: string) => UserError;

interface Token {
  readonly kind: "int" | "double" | "string" | "name" | "symbol" | "end";
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /(?<space>\s+)|(?<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?<int>\d+)|(?<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<name>[A-Za-z_]\w*)|(?<symbol>&&|\|\||[=!<>]=|[<>!()[\].,-])/suy;
const MAX_DEPTH = 200;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", a: "\u0007" };

function errorAt(source: string, at: number, problem: string): UserError {
  return new UserError(`expression ${JSON.stringify(source.length > 200 ? `${source.slice(0, 200)}…` : source)}, position ${at + 1}: ${problem}`);
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(source);
    if (match === null) throw errorAt(source, at, `unexpected ${JSON.stringify(source.charAt(at))}`);
    const text = match[0];
    for (const kind of ["double", "int", "string", "name", "symbol"] as const) {
      if (match.groups?.[kind] !== undefined) tokens.push({ kind, text, at });
    }
    at += text.length;
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

function unquote(text: string, fail: Fail): string {
  return text.slice(1, -1).replace(/\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/gsu, (_all, u, x, other) => {
    if (typeof u === "string" || typeof x === "string") return String.fromCharCode(Number.parseInt(String(u ?? x), 16));
    const character = String(other);
    if (/[\\'"`?]/.test(character)) return character;
    const escape = Object.hasOwn(ESCAPES, character) ? ESCAPES[character] : undefined;
    if (escape === undefined) throw fail(`unknown escape \\${character}`);
    return escape;
  });
}

function typeName(value: ExpressionValue): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "double";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "string") return "string";
  return Array.isArray(value) ? "list" : "map";
}

function isNumeric(value: ExpressionValue): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isList(value: ExpressionValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isMap(value: ExpressionValue): value is { readonly [key: string]: JsonValue } {
  return typeof value !== "bigint" && isJsonObject(value);
}

/** Equality across types: values of different types differ, except that 1 equals 1.0. */
function equal(a: ExpressionValue, b: ExpressionValue): boolean {
  // Unlike ===, this compares an int with a double.
  if (isNumeric(a) && isNumeric(b)) return a == b;
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => equal(item, b[i] ?? null));
  if (isMap(a) && isMap(b)) {
    const keys = Object.keys(a);
    if (keys.length !== Object.keys(b).length) return false;
    return keys.every((key) => Object.hasOwn(b, key) && equal(a[key] ?? null, b[key] ?? null));
  }
  return a === b;
}

/** The order of two strings by code point, as CEL has it. */
function compareStrings(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const index = left.findIndex((character, i) => character !== right[i]);
  if (index < 0) return left.length - right.length;
  return (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? -1);
}

function ordered(operator: string, a: ExpressionValue, b: ExpressionValue, fail: Fail): boolean {
  let pair: readonly [number | bigint, number | bigint];
  if (isNumeric(a) && isNumeric(b)) pair = [a, b];
  else if (typeof a === "string" && typeof b === "string") pair = [compareStrings(a, b), 0];
  else if (typeof a === "boolean" && typeof b === "boolean") pair = [Number(a), Number(b)];
  else throw fail(`cannot order ${typeName(a)} ${operator} ${typeName(b)}`);
  const [left, right] = pair;
  if (operator === "<") return left < right;
  if (operator === "<=") return left <= right;
  return operator === ">" ? left > right : left >= right;
}

function int64(value: bigint, fail: Fail): bigint {
  if (BigInt.asIntN(64, value) !== value) throw fail("the int is out of range");
  return value;
}

const FUNCTIONS: Readonly<Record<string, (value: ExpressionValue, fail: Fail) => ExpressionValue>> = {
  int: (value, fail) => {
    if (typeof value === "bigint") return value;
    if (typeof value === "number" && Number.isFinite(value)) return int64(BigInt(Math.trunc(value)), fail);
    if (typeof value === "string" && /^[+-]?\d+$/.test(value)) return int64(BigInt(value.replace(/^\+/, "")), fail);
    throw fail(`int() cannot convert ${typeof value === "string" ? JSON.stringify(value) : `a ${typeName(value)}`}`);
  },
  double: (value, fail) => {
    if (isNumeric(value)) return Number(value);
    if (typeof value === "string" && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)) return Number(value);
    throw fail(`double() cannot convert ${typeof value === "string" ? JSON.stringify(value) : `a ${typeName(value)}`}`);
  },
  string: (value, fail) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value === "object") throw fail(`string() cannot convert a ${typeName(value)}`);
    return parameterText(value);
  },
  size: (value, fail) => {
    if (typeof value === "string") return BigInt([...value].length);
    if (isList(value)) return BigInt(value.length);
    if (isMap(value)) return BigInt(Object.keys(value).length);
    throw fail(`size() does not apply to a ${typeName(value)}`);
  },
  parseJson: (value, fail) => {
    if (typeof value !== "string") throw fail(`parseJson() does not apply to a ${typeName(value)}`);
    try {
      const parsed: JsonValue = JSON.parse(value);
      return parsed;
    } catch {
      throw fail("parseJson() was given text that is not JSON");
    }
  },
};

function member(target: ExpressionValue, key: ExpressionValue, fail: Fail): JsonValue {
  if (isMap(target) && typeof key === "string") {
    const value = Object.hasOwn(target, key) ? target[key] : undefined;
    if (value === undefined) throw fail(`no such key ${JSON.stringify(key)}`);
    return value;
  }
  if (isList(target) && isNumeric(key)) {
    const value = target[Number(key)];
    if (value === undefined) throw fail(`index ${key} is out of range`);
    return value;
  }
  throw fail(`cannot index a ${typeName(target)} with a ${typeName(key)}`);
}

function bool(value: ExpressionValue, fail: Fail): boolean {
  if (typeof value !== "boolean") throw fail(`expected a bool, got a ${typeName(value)}`);
  return value;
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  parse(): Evaluate {
    const result = this.#or();
    if (this.#peek().kind !== "end") throw this.#unexpected();
    return result;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "", at: this.#source.length };
  }

  #fail(token: Token): Fail {
    return (problem) => errorAt(this.#source, token.at, problem);
  }

  #unexpected(): UserError {
    const token = this.#peek();
    return this.#fail(token)(token.kind === "end" ? "unexpected end" : `unexpected ${token.text}`);
  }

  #accept(...symbols: readonly string[]): Token | undefined {
    const token = this.#peek();
    if (token.kind !== "symbol" || !symbols.includes(token.text)) return undefined;
    this.#next++;
    return token;
  }

  #expect(symbol: string): void {
    if (this.#accept(symbol) === undefined) throw this.#unexpected();
  }

  #or(): Evaluate {
    if (++this.#depth > MAX_DEPTH) throw this.#fail(this.#peek())("the expression is nested too deeply");
    const result = this.#logic("||", true, () => this.#logic("&&", false, () => this.#relation()));
    this.#depth--;
    return result;
  }

  /** As in CEL, an operand that decides the result hides an error of the other operand. */
  #logic(symbol: string, decisive: boolean, operand: () => Evaluate): Evaluate {
    const first = operand();
    const rest: { readonly evaluate: Evaluate; readonly fail: Fail }[] = [];
    for (let token = this.#accept(symbol); token !== undefined; token = this.#accept(symbol)) {
      rest.push({ evaluate: operand(), fail: this.#fail(token) });
    }
    const [second] = rest;
    if (second === undefined) return first;
    const operands = [{ evaluate: first, fail: second.fail }, ...rest];
    return (environment) => {
      const errors: unknown[] = [];
      for (const { evaluate, fail } of operands) {
        try {
          if (bool(evaluate(environment), fail) === decisive) return decisive;
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length > 0) throw errors[0];
      return !decisive;
    };
  }

  #relation(): Evaluate {
    let left = this.#unary();
    for (;;) {
      const token = this.#accept("==", "!=", "<", "<=", ">", ">=");
      if (token === undefined) return left;
      const [a, b, operator, fail] = [left, this.#unary(), token.text, this.#fail(token)];
      if (operator === "==") left = (environment) => equal(a(environment), b(environment));
      else if (operator === "!=") left = (environment) => !equal(a(environment), b(environment));
      else left = (environment) => ordered(operator, a(environment), b(environment), fail);
    }
  }

  #unary(): Evaluate {
    const operators: Token[] = [];
    for (let token = this.#accept("!", "-"); token !== undefined; token = this.#accept("!", "-")) operators.push(token);
    if (operators.length > MAX_DEPTH) throw this.#unexpected();
    return operators.reduceRight<Evaluate>((operand, token) => {
      const fail = this.#fail(token);
      if (token.text === "!") return (environment) => !bool(operand(environment), fail);
      return (environment) => {
        const value = operand(environment);
        if (!isNumeric(value)) throw fail(`cannot negate a ${typeName(value)}`);
        return typeof value === "bigint" ? int64(-value, fail) : -value;
      };
    }, this.#postfix());
  }

  #postfix(): Evaluate {
    let result = this.#primary();
    for (;;) {
      const token = this.#accept(".", "[");
      if (token === undefined) return result;
      const [target, fail] = [result, this.#fail(token)];
      let key: Evaluate;
      if (token.text === ".") {
        const name = this.#peek();
        if (name.kind !== "name") throw this.#unexpected();
        this.#next++;
        key = () => name.text;
      } else {
        key = this.#or();
        this.#expect("]");
      }
      result = (environment) => member(target(environment), key(environment), fail);
    }
  }

  #primary(): Evaluate {
    const token = this.#peek();
    const fail = this.#fail(token);
    if (this.#accept("(") !== undefined) {
      const inner = this.#or();
      this.#expect(")");
      return inner;
    }
    if (token.kind === "end" || token.kind === "symbol") throw this.#unexpected();
    this.#next++;
    const { kind, text } = token;
    if (kind === "name") return this.#name(text, fail);
    // One past the largest int is allowed here, because a minus sign may precede it.
    const value = kind === "string" ? unquote(text, fail) : kind === "int" ? BigInt(text) : Number(text);
    if (typeof value === "bigint" && value > 2n ** 63n) throw fail("the int is out of range");
    return () => value;
  }

  #name(name: string, fail: Fail): Evaluate {
    if (this.#accept("(") !== undefined) {
      const call = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
      if (call === undefined) throw fail(`unknown function ${name}()`);
      const argument = this.#or();
      this.#expect(")");
      return (environment) => call(argument(environment), fail);
    }
    if (name === "true" || name === "false") return () => name === "true";
    if (name === "null") return () => null;
    return (environment) => {
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (value === undefined) throw fail(`unknown name ${name}`);
      return value;
    };
  }
}

/** The value of an expression in the subset of CEL that pipelines use. */
export function evaluateExpression(source: string, environment: Readonly<Record<string, JsonValue>>): ExpressionValue {
  return new Parser(source).parse()(environment);
}

/** Whether a task's `triggerPolicy.condition` holds for its resolved inputs. */
export function evaluateCondition(source: string, inputs: NonNullable<ExecutorInput["inputs"]>): boolean {
  const artifacts: JsonValue = JSON.parse(JSON.stringify(inputs.artifacts ?? {}));
  const value = evaluateExpression(source, { inputs: { parameter_values: inputs.parameterValues ?? {}, artifacts } });
  return bool(value, (problem) => errorAt(source, 0, problem));
}

/** The part of a parameter's value that its `parameterExpressionSelector` selects. */
export function selectParameter(source: string, value: JsonValue): JsonValue {
  const selected = evaluateExpression(source, {
    string_value: parameterText(value),
    number_value: typeof value === "number" ? value : 0,
    bool_value: value === true,
    list_value: Array.isArray(value) ? value : [],
    struct_value: isJsonObject(value) ? value : {},
  });
  return typeof selected === "bigint" ? Number(selected) : selected;
}
