import type { Literal } from "./ast.ts";
import { SyntaxIssue, type Token } from "./token.ts";
import { unquote } from "./string-literal.ts";

const SPACE = /(?:[\t \r\n\f]|\/\/[^\n]*)+/y;
const FLOAT = /\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?/y;
const INTEGER = /(0x[0-9a-fA-F]+|\d+)([uU]?)/y;
const IDENT = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const QUOTED_IDENT = /`[a-zA-Z0-9_.\-/ ]+`/y;
const STRING_START = /(?:[bB][rR]?|[rR][bB]?)?(?:"""|'''|"|')/y;
const OPERATOR = /==|!=|<=|>=|&&|\|\||[[\]{}().,\-!?:+*/%<>]/y;

const MAX_INT = 2n ** 63n;
const MAX_UINT = 2n ** 64n - 1n;

/** Splits an expression into tokens; the last one is the end. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    return pattern.exec(source);
  };
  for (;;) {
    offset += match(SPACE)?.[0].length ?? 0;
    if (offset >= source.length) break;
    const token = next();
    tokens.push(token);
    offset += token.text.length;
  }
  tokens.push({ kind: "end", text: "<EOF>", offset: source.length });
  return tokens;

  function next(): Token {
    const start = match(STRING_START);
    if (start !== null) return { ...unquote(source, offset, start[0]), offset };
    const float = match(FLOAT);
    if (float !== null) return { kind: "literal", text: float[0], offset, value: readDouble(float[0], offset) };
    const integer = match(INTEGER);
    if (integer !== null) return { kind: "literal", text: integer[0], offset, value: readInteger(integer, offset) };
    const ident = match(IDENT);
    if (ident !== null) return { ...keyword(ident[0]), text: ident[0], offset };
    const quoted = match(QUOTED_IDENT);
    if (quoted !== null) return { kind: "quotedIdent", text: quoted[0], offset };
    const operator = match(OPERATOR);
    if (operator !== null) return { kind: "operator", text: operator[0], offset };
    const character = String.fromCodePoint(source.codePointAt(offset) ?? 0);
    throw new SyntaxIssue(offset, `Syntax error: token recognition error at: '${character}'`);
  }
}

/** The integer, negated if a minus stood before it. */
export function negated(token: Token): Literal | undefined {
  if (typeof token.value === "number") return -token.value;
  return typeof token.value === "bigint" ? -token.value : undefined;
}

/** Whether an integer literal is small enough; the smallest int is so only with its minus. */
export function isInRange(value: Literal): boolean {
  return typeof value !== "bigint" || (value < MAX_INT && value >= -MAX_INT);
}

function keyword(text: string): Pick<Token, "kind" | "value"> {
  if (text === "true") return { kind: "literal", value: true };
  if (text === "false") return { kind: "literal", value: false };
  if (text === "null") return { kind: "literal", value: null };
  return { kind: text === "in" ? "operator" : "ident" };
}

function readDouble(text: string, offset: number): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new SyntaxIssue(offset, "invalid double literal");
  return value;
}

function readInteger([, digits = "", suffix = ""]: RegExpExecArray, offset: number): Literal {
  // More digits than any integer has: not worth reading.
  const value = digits.length > 100 ? MAX_UINT + 1n : BigInt(digits);
  if (suffix === "") {
    if (value > MAX_INT) throw new SyntaxIssue(offset, "invalid int literal");
    return value;
  }
  if (value > MAX_UINT) throw new SyntaxIssue(offset, "invalid uint literal");
  return { uint: value };
}
