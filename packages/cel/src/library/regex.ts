import { RE2JS, RE2JSException } from "re2js";
import type { CelBudget } from "../budget.ts";
import { fn, method, type NamedOverload } from "../functions.ts";
import { BOOL, INT, listOf, STRING } from "../types.ts";
import { CelFailure, ValueList, type CelResult } from "../values.ts";

/** Texts that could become larger programs than this are no patterns for us. */
const MAX_PROGRAM = 500_000;
const MAX_KEPT = 1000;
/** Instructions that every program has. */
const FRAME_SIZE = 4;
const REPEAT = /\{(\d{1,4})(?:,(\d{0,4}))?\}/g;

const compiled = new Map<string, RE2JS | CelFailure>();

/**
 * The most instructions that a pattern can become: RE2 allows nested repeats up to a thousandfold. Known from the text
 * alone, so that a pattern is paid for before it is compiled.
 */
export function patternSize(pattern: string): number {
  let most = 1;
  for (const [, from = "", to = ""] of pattern.matchAll(REPEAT)) most = Math.max(most, Number(from), Number(to));
  return pattern.length * most + 10;
}

/** The pattern, compiled; `pay` is called with the size of one that must be compiled first. */
export function compilePattern(pattern: string, pay: (size: number) => void): RE2JS | CelFailure {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const size = patternSize(pattern);
  pay(size);
  const result = size > MAX_PROGRAM ? new CelFailure("error parsing regexp: expression is too large") : compileText(pattern);
  if (compiled.size >= MAX_KEPT) compiled.clear();
  if (size <= MAX_PROGRAM / 10) compiled.set(pattern, result);
  return result;
}

function compileText(pattern: string): RE2JS | CelFailure {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) return new CelFailure(error.message);
    throw error;
  }
}

/** What a search costs: as upstream's, but counting repeats in the pattern by what they become. */
function prepare(text: string, pattern: string, budget: CelBudget): RE2JS | CelFailure {
  const expression = compilePattern(pattern, (size) => budget.charge(size));
  if (expression instanceof CelFailure) return expression;
  const size = Math.max(pattern.length, expression.programSize() - FRAME_SIZE);
  budget.charge(Math.ceil((1 + text.length) * 0.1) * Math.ceil(size * 0.25));
  return expression;
}

function matches(text: string, pattern: string, budget: CelBudget): CelResult {
  const expression = prepare(text, pattern, budget);
  return expression instanceof CelFailure ? expression : expression.matcher(text).find();
}

function find(text: string, pattern: string, budget: CelBudget): CelResult {
  const expression = prepare(text, pattern, budget);
  if (expression instanceof CelFailure) return expression;
  const matcher = expression.matcher(text);
  return matcher.find() ? (matcher.group() ?? "") : "";
}

function findAll(text: string, pattern: string, limit: bigint, budget: CelBudget): CelResult {
  const expression = prepare(text, pattern, budget);
  if (expression instanceof CelFailure) return expression;
  const found: string[] = [];
  const matcher = expression.matcher(text);
  while ((limit < 0n || BigInt(found.length) < limit) && matcher.find()) {
    // Each search may read to the end of the text.
    budget.charge((text.length - matcher.start()) * 0.01);
    found.push(matcher.group() ?? "");
  }
  return new ValueList(found);
}

const paidInside = { cost: (): number => 0 };

/** Regular expressions of RE2, whose searches take time linear in the text. */
export const regex: readonly NamedOverload[] = [
  fn("matches", [STRING, STRING], BOOL, matches, paidInside),
  method("matches", [STRING, STRING], BOOL, matches, paidInside),
  method("find", [STRING, STRING], STRING, find, paidInside),
  method("findAll", [STRING, STRING], listOf(STRING), (text, pattern, budget) => findAll(text, pattern, -1n, budget), paidInside),
  method("findAll", [STRING, STRING, INT], listOf(STRING), findAll, paidInside),
];
