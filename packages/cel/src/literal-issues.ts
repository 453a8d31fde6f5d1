import { childrenOf, type CallExpr, type Expr, type ListExpr, type MapExpr } from "./ast.ts";
import type { Checked } from "./checker.ts";
import type { Issue } from "./errors.ts";
import { formatProblems } from "./format-problems.ts";
import { compilePattern, patternSize } from "./library/regex.ts";
import { parseDuration, parseTimestamp } from "./time.ts";
import { DYN, formatType, type CelType } from "./types.ts";
import { sameType } from "./unify.ts";
import { CelFailure } from "./values.ts";

/** The patterns of one expression may become programs of this size together. */
const MAX_PATTERNS = 1_000_000;

/**
 * What is wrong with an expression although its types are right: constants that no evaluation could use, such as patterns
 * that are none, and lists and maps that mix types. Only what is formatted as text may mix them.
 */
export function literalIssues(expression: Expr, checked: Checked): Issue[] {
  const issues: Issue[] = [];
  let patterns = 0;
  const open: { readonly part: Expr; readonly isFormatted: boolean }[] = [{ part: expression, isFormatted: false }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { part, isFormatted } = next;
    const isFormat = part.kind === "call" && part.function === "format";
    for (const child of childrenOf(part)) open.push({ part: child, isFormatted: isFormatted || isFormat });
    if (part.kind === "list" && !isFormatted) issues.push(...listIssues(part, checked));
    if (part.kind === "map" && !isFormatted) issues.push(...mapIssues(part, checked));
    if (part.kind !== "call") continue;
    if (isFormat) issues.push(...formatProblems(part, checked));
    const literal = (checked.calls.get(part)?.args ?? [])[isPattern(part) ? 1 : 0];
    if (literal?.kind !== "literal" || typeof literal.value !== "string") continue;
    if (isPattern(part)) patterns += patternSize(literal.value);
    if (patterns > MAX_PATTERNS || !isValid(part, literal.value)) {
      issues.push({ offset: literal.offset, message: `invalid ${part.function} argument` });
      if (patterns > MAX_PATTERNS) break;
    }
  }
  return issues;
}

function isPattern(call: CallExpr): boolean {
  return call.function === "matches" || call.function === "find" || call.function === "findAll";
}

function isValid(call: CallExpr, text: string): boolean {
  if (isPattern(call)) return !(compilePattern(text, () => undefined) instanceof CelFailure);
  if (call.target !== undefined) return true;
  if (call.function === "duration") return !(parseDuration(text) instanceof CelFailure);
  return call.function !== "timestamp" || !(parseTimestamp(text) instanceof CelFailure);
}

function mismatch(at: Expr, expected: CelType, actual: CelType): Issue {
  return { offset: at.offset, message: `expected type '${formatType(expected)}' but found '${formatType(actual)}'` };
}

function typeOf(expression: Expr, { types }: Checked, isOptional: boolean): CelType {
  const type = types.get(expression) ?? DYN;
  return isOptional && type.kind === "optional" ? type.of : type;
}

function listIssues({ items }: ListExpr, checked: Checked): Issue[] {
  const [first] = items;
  if (first === undefined) return [];
  const expected = typeOf(first.value, checked, first.isOptional);
  for (const { value, isOptional } of items) {
    const type = typeOf(value, checked, isOptional);
    if (!sameType(expected, type)) return [mismatch(value, expected, type)];
  }
  return [];
}

function mapIssues({ entries }: MapExpr, checked: Checked): Issue[] {
  const [first] = entries;
  if (first === undefined) return [];
  const expectedKey = typeOf(first.key, checked, false);
  const expectedValue = typeOf(first.value, checked, first.isOptional);
  return entries.flatMap(({ key, value, isOptional }) => {
    const [keyType, valueType] = [typeOf(key, checked, false), typeOf(value, checked, isOptional)];
    return [
      ...(sameType(expectedKey, keyType) ? [] : [mismatch(key, expectedKey, keyType)]),
      ...(sameType(expectedValue, valueType) ? [] : [mismatch(value, expectedValue, valueType)]),
    ];
  });
}
