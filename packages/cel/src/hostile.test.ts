import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CelBudget } from "./budget.ts";
import { CelError } from "./errors.ts";
import { compileCel } from "./program.ts";
import { celTypeOf } from "./schema-type.ts";
import { DYN, listOf, STRING, type CelType } from "./types.ts";

const many = Array.from({ length: 100_000 }, (_, i) => `item-${i}`);
const long = "a".repeat(1_000_000);
const wide = Object.fromEntries(many.map((name) => [name, name]));
const nested = Array.from({ length: 2000 }, () => Array.from({ length: 200 }, () => ({ a: "b" })));

const variables: Record<string, CelType> = { l: listOf(STRING), s: STRING, d: DYN, n: DYN };
const bindings = { l: many, s: long, d: wide, n: nested };

/** What becomes of an expression with a tenth of the usual limit, within a time that a slow machine keeps, too. */
function outcome(expression: string): string {
  const start = process.cpuUsage();
  try {
    compileCel(expression, { variables }).evaluate(bindings, new CelBudget(undefined, { callLimit: 100_000 }));
    return "a value";
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    return error.kind === "cost" ? error.message : error.kind;
  } finally {
    expect(process.cpuUsage(start).user).toBeLessThan(1_500_000);
  }
}

const doubling = (step: string, times: number): string => Array.from({ length: times }, () => `.map(x, ${step})`).join("");

const tooExpensive: [string, string][] = [
  ["nested all", "l.all(a, l.all(b, l.all(c, a != b || b != c || true)))"],
  ["nested exists over nothing", "l.exists(a, l.exists(b, false))"],
  ["filters that keep nothing", "l.filter(a, l.filter(b, false) == ['x']).size() == 0"],
  ["text that doubles", `['aaaaaaaaaaaaaaaa']${doubling("x + x", 30)}[0].size() > 0`],
  ["a list that doubles", `[[1, 2, 3, 4]]${doubling("x + x", 30)}[0].size() > 0`],
  ["a value that stands in itself", `[['aaaaaaaa']]${doubling("[x, x]", 30)} == [['aaaaaaaa']]${doubling("[x, x]", 30)}`],
  ["such a value as text", `'%s'.format([[['aaaaaaaa']]${doubling("[x, x]", 30)}]).size() > 0`],
  ["such a value flattened", `[['aaaaaaaa']]${doubling("[x, x]", 30)}.flatten(40).size() > 0`],
  ["a map for each item", "l.transformMap(i, a, l.transformMap(j, b, a + b)).size() > 0"],
  ["replace", "s.replace('a', s).size() > 0"],
  ["replace between characters", "s.replace('', s).size() > 0"],
  ["join", "l.map(x, s).join(s).size() > 0"],
  ["format", "'%s%s%s%s%s%s%s%s%s%s%s%s'.format([s, s, s, s, s, s, s, s, s, s, s, s]).size() > 0"],
  ["a range", "lists.range(1000000000).size() > 0"],
  ["sort", "l.map(x, x.size()).sort().size() > 0"],
  ["distinct", "l.distinct().size() > 0"],
  ["sets", "sets.contains(l, l)"],
  ["membership", "l.all(x, x in l)"],
  ["comparison of large values", "l.all(x, n == n.map(y, y))"],
  ["sizes of long texts", "l.all(x, s.size() > 0)"],
  ["sizes and keys of wide maps", "l.all(x, d.exists(k, true) && d.size() > 0)"],
  [
    "a search that almost finds",
    "s.indexOf(s.substring(1) + 'b') > 0 || s.contains(s.substring(1) + 'b') || s.split(s.substring(500000) + 'b').size() > 1",
  ],
  ["a catastrophic pattern", "l.all(x, !s.matches('(a*)*b'))"],
  ["a pattern that grows when compiled", "s.matches('(a?){1000}b')"],
  ["patterns that are made", "l.all(x, x.matches('(' + x + '){1,900}') || true)"],
  ["all matches", "s.findAll('a').size() > 0 && s.findAll('a').size() > 0 && l.all(x, s.findAll('a').size() > 0)"],
  ["failures that are ignored", "l.all(a, l.all(b, 1 / 0 == 1 || true))"],
  ["quotes", `['"']${doubling("strings.quote(x)", 30)}[0].size() > 0`],
];

describe("an expression that would take long ends at its limit", () => {
  test.each(tooExpensive)("%s", { timeout: 60_000 }, (_, expression) => {
    expect(outcome(expression)).toBe("operation cancelled: actual cost limit exceeded");
  });
});

const malformed: [string, string][] = [
  ["parentheses", "(".repeat(50_000)],
  ["lists", "[".repeat(300) + "]".repeat(300)],
  ["negations", `${"!(".repeat(300)}true${")".repeat(300)}`],
  ["a sum", `0${"+1".repeat(40_000)}`],
  ["a path", `d${".a".repeat(40_000)}`],
  ["indices", `d${"[0]".repeat(30_000)}`],
  ["conditions", `${"true?1:".repeat(1000)}1`],
  ["macros", `${"l.all(x, ".repeat(200)}true${")".repeat(200)}`],
  ["optional macros", `optional.of(1)${".optMap(x, x)".repeat(300)}.hasValue()`],
  ["length", `'${"a".repeat(200_000)}' == ''`],
  ["a pattern too large", "s.matches('((a{1000}){1000}){1000}')"],
  ["a long pattern of repeats", `s.matches('${"a{1000}".repeat(10_000)}')`],
  ["a type that contains itself", "[].map(x, [x])[0] == x"],
  ["no end", '"'],
  ["no text", ""],
];

describe("an expression that is too deep, too long or no expression is refused", () => {
  test.each(malformed)("%s", (_, expression) => {
    expect(outcome(expression)).toBe("compile");
  });
});

describe("an expression that is only large is not refused", () => {
  const chain = Array.from({ length: 5000 }, (_, i) => `s != '${i}'`);
  test.each([
    ["and", chain.join(" && ")],
    ["or", chain.join(" || ")],
    ["a long list", `'x' in [${Array.from({ length: 10_000 }, (_, i) => `'${i}'`).join(",")}]`],
    ["signs", `${"!".repeat(10_000)}true`],
    ["optionals", `optional.of(1)${".optMap(x, x + 1)".repeat(20)}.hasValue()`],
    ["conditions in conditions", `${"true ? true : ".repeat(60)}false`],
  ])("%s", (_, expression) => {
    expect(outcome(expression)).toBe("a value");
  });
});

test("a request's budget is shared between its expressions", () => {
  const budget = new CelBudget(1000);
  const program = compileCel("l.exists(x, x == 'item-50')", { variables });
  expect(program.evaluate(bindings, budget)).toBe(true);
  expect(() => Array.from({ length: 10 }, () => program.evaluate(bindings, budget))).toThrow("running out of cost budget");
  expect(budget.isSpent).toBe(true);
});

test("values that nest deep are neither equal nor a reason to crash", () => {
  let deep: unknown = 1;
  let other: unknown = 2;
  for (let i = 0; i < 5000; i++) [deep, other] = [[deep], [other]];
  const program = compileCel("a == b", { variables: { a: DYN, b: DYN } });
  expect(() => program.evaluate({ a: deep, b: other }, new CelBudget())).toThrow("nest too deep");
});

test("schemas that nest deep have types", () => {
  let schema: { type: "object"; properties: Record<string, object> } = { type: "object", properties: {} };
  for (let i = 0; i < 2000; i++) schema = { type: "object", properties: { a: schema } };
  expect(celTypeOf(schema)?.kind).toBe("object");
});

const word = fc.constantFrom(
  ..."( ) [ ] { } . , ? : + - * / % < <= == != >= > in && || ! 1 2u 3.5 'a' b'b' null true l s d n x .? [? .all(x, .map(x, .filter(x, has( size( dyn( type( .matches( .format( optional.of( .orValue( int string".split(
    " ",
  ),
);

test("any text is evaluated or refused, never more", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 25 }), (words) => {
      expect(["a value", "compile", "evaluation"]).toContain(outcome(words.join(" ")).replace(/^operation.*/, "evaluation"));
    }),
    { numRuns: 1000 },
  );
});

test("any characters are evaluated or refused, never more", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      expect(["a value", "compile", "evaluation"]).toContain(outcome(text));
    }),
    { numRuns: 1000 },
  );
});
