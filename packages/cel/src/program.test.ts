import { describe, expect, test } from "vitest";
import { CelBudget } from "./budget.ts";
import { CelError } from "./errors.ts";
import { authorizerType, resourceCheckType, type CelAccessAttributes } from "./library/authorizer.ts";
import { compileCel } from "./program.ts";
import { celTypeOf } from "./schema-type.ts";
import { DYN, INT, listOf, mapOf, objectOf, STRING, type CelType } from "./types.ts";

const variables: Record<string, CelType> = { d: DYN, s: STRING, l: listOf(STRING), i: INT, m: mapOf(STRING, STRING) };
const bindings = { d: { a: 1 }, s: "hello", l: ["a", "b", "c"], i: 5, m: { k: "v" } };

function evaluate(expression: string, budget: CelBudget = new CelBudget()): unknown {
  return compileCel(expression, { variables }).evaluate(bindings, budget);
}

/** Measured with Kubernetes 1.35's own environment. */
const values: [string, string, number][] = [
  ['l.map(x, x + "!").join(",")', "a!,b!,c!", 46],
  ['l.exists_one(x, x == "a")', "true", 11],
  ['l.exists(x, x == "z")', "false", 20],
  ["d.?b.orValue(2) == 2", "true", 2],
  ["has(d.b)", "false", 1],
  ['m["k"]', "v", 2],
  ['s in ["a", "b", "hello"]', "true", 1],
  ['s.matches("^h.*o$")', "true", 3],
  ['s.find("l+")', "ll", 2],
  ["s + s + s", "hellohellohello", 6],
  ['s.replace("l", "LL")', "heLLLLo", 2],
  ["s.charAt(2)", "l", 2],
  ['s.indexOf("l")', "2", 1],
  ["s.substring(1,3)", "el", 2],
  ['"%.2f".format([3.14159])', "3.14", 1],
  ['"%x".format([255])', "ff", 1],
  ["dyn(1) == 1.0", "true", 1],
  ["1 < 1.5", "true", 1],
  ["[1,2,3].sum()", "6", 3],
  ["[3,1,2].max()", "3", 3],
  ["[3,1,2].isSorted()", "false", 3],
  ['["a","b"].indexOf("b")', "1", 0],
  ["[1].first().value()", "1", 2],
  ["sets.contains([1,2],[1])", "true", 3],
  ['timestamp("2024-01-01T00:00:00Z").getHours("America/New_York")', "19", 1],
  ['string(duration("1h30m"))', "5400s", 0],
  ['duration("1.5h").getMilliseconds()', "5400000", 1],
  ["-5 / 2", "-2", 1],
  ["-5 % 3", "-2", 1],
  ["string(1e10)", "1e+10", 0],
  ["string(123456789.0)", "1.23456789e+08", 0],
  ["type(1) == int", "true", 1],
  ['type(ip("1.2.3.4")) == net.IP', "true", 3],
  ["optional.of(1).value()", "1", 2],
  ["true && (1/0 == 1 || true)", "true", 2],
  ['"\\u00e9".size()', "1", 1],
  ['"\\U0001F600".size()', "1", 1],
  ['quantity("1Gi").add(quantity("1Mi")).compareTo(quantity("1025Mi"))', "0", 5],
  ['url("https://example.com:80/p?q=1").getHost()', "example.com:80", 4],
  ['ip("1.2.3.4").isGlobalUnicast()', "true", 2],
  ['cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")', "true", 6],
  ['string(cidr("10.0.0.1/8").masked())', "10.0.0.0/8", 3],
  ['format.named("dns1123Label").value().validate("ok").hasValue()', "false", 11],
  ['semver("1.2.3").compareTo(semver("1.2.4"))', "-1", 3],
  ['semver("v1.2", true).minor()', "2", 2],
  ['"abc".replace("", "-")', "-a-b-c-", 1],
  ['strings.quote("a\\"b")', '"a\\"b"', 1],
  ['b"a" < b"b"', "true", 1],
  ["[[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]].all(y, y.all(y, y == 1))", "false", 30],
];

test.each(values)("%s", (expression, value, cost) => {
  const budget = new CelBudget();
  expect(String(evaluate(expression, budget))).toBe(value);
  // Ours counts what is made or compared inside a bit dearer.
  expect(budget.spent).toBeGreaterThanOrEqual(cost - 1);
  expect(budget.spent).toBeLessThanOrEqual(cost * 1.1 + 3);
});

const mistakes: [string, string][] = [
  ['"a" + 1', "ERROR: <input>:1:5: found no matching overload for '_+_' applied to '(string, int)'\n | \"a\" + 1\n | ....^"],
  ["x", "ERROR: <input>:1:1: undeclared reference to 'x' (in container '')\n | x\n | ^"],
  ["foo(1)", "ERROR: <input>:1:4: undeclared reference to 'foo' (in container '')\n | foo(1)\n | ...^"],
  ['"abc".foo()', "ERROR: <input>:1:10: undeclared reference to 'foo' (in container '')\n | \"abc\".foo()\n | .........^"],
  ['[1, "a"]', "ERROR: <input>:1:5: expected type 'int' but found 'string'\n | [1, \"a\"]\n | ....^"],
  ["s ? 1 : 2", "ERROR: <input>:1:3: found no matching overload for '_?_:_' applied to '(string, int, int)'\n | s ? 1 : 2\n | ..^"],
  ["s.a", "ERROR: <input>:1:2: type 'string' does not support field selection\n | s.a\n | .^"],
  [
    "1.all(x, true)",
    "ERROR: <input>:1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)\n | 1.all(x, true)\n | ^",
  ],
  ["has(1)", "ERROR: <input>:1:5: invalid argument to has() macro\n | has(1)\n | ....^"],
  [
    "l.map(x, x, x)",
    "ERROR: <input>:1:6: found no matching overload for '_?_:_' applied to '(string, list(string), list(string))'\n | l.map(x, x, x)\n | .....^",
  ],
  ["for", "ERROR: <input>:1:1: reserved identifier: for\n | for\n | ^"],
  [
    '"%d".format([1.5])',
    'ERROR: <input>:1:14: error during formatting: decimal clause can only be used on integers, was given double\n | "%d".format([1.5])\n | .............^',
  ],
  ['duration("x")', 'ERROR: <input>:1:10: invalid duration argument\n | duration("x")\n | .........^'],
];

test.each(mistakes)("%s is refused", (expression, message) => {
  expect(() => evaluate(expression)).toThrow(new CelError("compile", message));
});

const failures: [string, string][] = [
  ["1 / 0", "division by zero"],
  ["9223372036854775807 + 1", "integer overflow"],
  ["[1,2,3][-1]", "index out of bounds: -1"],
  ['m["z"]', "no such key: z"],
  ["d.b == 1", "no such key: b"],
  ["optional.none().value()", "optional.none() dereference"],
  ["duration(s)", "type conversion error from 'string' to 'google.protobuf.Duration'"],
  ["5u - 6u", "unsigned integer overflow"],
  ['timestamp("2024-01-01T00:00:00Z").getDate("Nope/Zone")', "unknown time zone Nope/Zone"],
  ['ip("::ffff:1.2.3.4")', 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'],
];

test.each(failures)("%s fails", (expression, message) => {
  expect(() => evaluate(expression)).toThrow(new CelError("evaluation", message));
});

describe("bindings", () => {
  test("are converted by their declared types", () => {
    const type = celTypeOf({
      type: "object",
      properties: {
        count: { type: "integer" },
        share: { type: "number" },
        at: { type: "string", format: "date-time" },
        lasts: { type: "string", format: "duration" },
        data: { type: "string", format: "byte" },
        "x-y/z.w": { type: "string" },
        namespace: { type: "string" },
        open: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        hidden: { "x-kubernetes-preserve-unknown-fields": true },
      },
    });
    const self = { count: 2, share: 1, at: "2024-02-03T04:05:06Z", lasts: "2 days", data: "aGk=", "x-y/z.w": "v", namespace: "n", hidden: 1 };
    const run = (expression: string): unknown => compileCel(expression, { variables: { self: type ?? DYN } }).evaluate({ self }, new CelBudget());
    expect(run("self.count / 4 == 0 && self.share / 4.0 == 0.25")).toBe(true);
    expect(run("self.at.getDate() == 3 && self.lasts == duration('48h') && self.data == b'hi'")).toBe(true);
    expect(run("self.x__dash__y__slash__z__dot__w == 'v' && self.namespace == 'n' && self.__namespace__ == 'n' && !has(self.open)")).toBe(true);
    expect(() => run("self.hidden == 1")).toThrow("undefined field 'hidden'");
  });

  test("are asked for only when they are needed, and once", () => {
    let asked = 0;
    const lazy = (): string => (asked++, "x");
    const program = compileCel("s == 'a' || (s == 'x' && v.t == 'x' && d == 'x')", {
      variables: { s: STRING, d: DYN, v: objectOf("variables", { t: STRING }) },
    });
    expect(program.evaluate({ s: lazy, v: { t: lazy }, d: "x" }, new CelBudget())).toBe(true);
    expect(asked).toBe(2);
    expect(program.evaluate({ s: "a", v: { t: lazy }, d: lazy }, new CelBudget())).toBe(true);
    expect(asked).toBe(2);
    expect([...program.references]).toEqual(["s", "v", "d"]);
  });

  test("may be what another expression gave", () => {
    const first = compileCel("timestamp('2024-01-01T00:00:00Z')", { variables: {} });
    const second = compileCel("t.getFullYear()", { variables: { t: first.type } });
    expect(second.evaluate({ t: first.evaluateRaw({}, new CelBudget()) }, new CelBudget())).toBe(2024n);
    expect(first.evaluate({}, new CelBudget())).toBe("2024-01-01T00:00:00Z");
  });

  test("lists that are sets or maps are equal in any order", () => {
    const set = celTypeOf({ type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } }) ?? DYN;
    const item = { type: "object", properties: { k: { type: "string" }, v: { type: "integer" } } } as const;
    const map = celTypeOf({ type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], items: item }) ?? DYN;
    const program = compileCel("a == b && x == y && (a + b).size() == 2 && (x + y).size() == 2", { variables: { a: set, b: set, x: map, y: map } });
    const [one, two] = [
      { k: "1", v: 1 },
      { k: "2", v: 2 },
    ];
    expect(program.evaluate({ a: ["p", "q"], b: ["q", "p"], x: [one, two], y: [two, one] }, new CelBudget())).toBe(true);
  });
});

test("a type that is not the expected one is a mistake", () => {
  expect(() => compileCel("1", { variables: {}, expected: { kind: "bool" } })).toThrow("must evaluate to bool");
});

test("the authorizer is asked with what the expression says", () => {
  const asked: CelAccessAttributes[] = [];
  const authorizer = {
    user: { username: "ada", groups: ["dev"] },
    authorize: (attributes: CelAccessAttributes) => (asked.push(attributes), { allowed: attributes.verb === "get", reason: "because" }),
  };
  const run = (expression: string): unknown =>
    compileCel(expression, { variables: { authorizer: authorizerType } }).evaluate({ authorizer }, new CelBudget());
  expect(run("authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('x').check('get').allowed()")).toBe(true);
  expect(run("authorizer.path('/healthz').check('post').allowed()")).toBe(false);
  expect(run("authorizer.serviceAccount('n', 'robot').group('').resource('pods').check('get').reason()")).toBe("because");
  const requestResource = { authorizer, attributes: { group: "apps", resource: "deployments", namespace: "n" } };
  const bound = { "authorizer.requestResource": requestResource };
  const program = compileCel("authorizer.requestResource.check('get').allowed()", {
    variables: { authorizer: authorizerType, "authorizer.requestResource": resourceCheckType },
  });
  expect(program.evaluate({ authorizer, ...bound }, new CelBudget())).toBe(true);
  expect(asked.pop()).toEqual({ user: authorizer.user, verb: "get", ...requestResource.attributes });
  expect(asked).toEqual([
    { user: authorizer.user, verb: "get", group: "apps", resource: "deployments", subresource: "scale", namespace: "n", name: "x" },
    { user: authorizer.user, verb: "post", path: "/healthz" },
    {
      user: { username: "system:serviceaccount:n:robot", groups: ["system:serviceaccounts", "system:serviceaccounts:n", "system:authenticated"] },
      verb: "get",
      group: "",
      resource: "pods",
    },
  ]);
  expect(() => run("[1, 2, 3].all(x, authorizer.path('/x').check('get').allowed())")).toThrow("actual cost limit exceeded");
});
