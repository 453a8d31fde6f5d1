import { childrenOf, type CallExpr, type Expr } from "./ast.ts";
import type { Checked } from "./checker.ts";
import type { Issue } from "./errors.ts";
import { compilePattern, patternSize } from "./library/regex.ts";
import { parseDuration, parseTimestamp } from "./time.ts";
import { CelFailure } from "./values.ts";

/** The patterns of one expression may become programs of this size together. */
const MAX_PATTERNS = 1_000_000;

/** Constants that no evaluation could use: patterns, durations and times that are none. */
export function literalIssues(expression: Expr, { calls }: Checked): Issue[] {
  const issues: Issue[] = [];
  let patterns = 0;
  const open = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    open.push(...childrenOf(next));
    if (next.kind !== "call") continue;
    const args = calls.get(next)?.args ?? [];
    const literal = args[isPattern(next) ? 1 : 0];
    if (literal?.kind !== "literal" || typeof literal.value !== "string") continue;
    if (isPattern(next)) patterns += patternSize(literal.value);
    if (patterns > MAX_PATTERNS || !isValid(next, literal.value)) {
      issues.push({ offset: literal.offset, message: `invalid ${next.function} argument` });
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
