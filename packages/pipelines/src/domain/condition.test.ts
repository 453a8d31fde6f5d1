import { describe, expect, test } from "vitest";
import { evaluateCondition, evaluateExpression, selectParameter } from "./condition.ts";

const inputs = { parameterValues: { n: 5, s: "heads", b: true, d: 0.5, none: null, big: "é𝄞" } };

describe("evaluateCondition", () => {
  test.each([
    ["inputs.parameter_values['s'] == 'heads'", true],
    ["int(inputs.parameter_values['n']) > 5", false],
    ["inputs.parameter_values['n'] >= 5", true],
    ["inputs.parameter_values['d'] < 0.75", true],
    ["inputs.parameter_values['b'] == true", true],
    ["!(inputs.parameter_values['s'] == 'heads') && int(inputs.parameter_values['n']) == 5", false],
    ["inputs.parameter_values['n'] == '5'", false],
    ["inputs.parameter_values.none == null", true],
    ["size(inputs.parameter_values['big']) == 2", true],
    ["inputs.parameter_values['missing'] == 1 || true", true],
    ["false && inputs.parameter_values['missing'] == 1", false],
    ["true || false && false", true],
    ["-1 < 0 && - 1.5 <= -1", true],
    ["string(double('2.50')) == '2.5'", true],
    ["parseJson('[1,{\"a\":2}]')[1].a == 2", true],
    ["'it\\'s' == \"it's\"", true],
  ])("%s", (source, expected) => {
    expect(evaluateCondition(source, inputs)).toBe(expected);
  });

  test.each([
    ["inputs.parameter_values['s'] < 1", "position 30: cannot order string < int"],
    ["inputs.parameter_values['x'] == 1", 'no such key "x"'],
    ["1 == ", "position 6: unexpected end"],
    ["1 # 2", 'position 3: unexpected "#"'],
    ["has(1)", "position 1: unknown function has()"],
    ["int('x')", 'int() cannot convert "x"'],
    ["inputs.constructor == 1", 'no such key "constructor"'],
    ["1", "expected a bool, got a int"],
  ])("%s fails", (source, message) => {
    expect(() => evaluateCondition(source, inputs)).toThrow(message);
  });
});

test("a selector reads a key out of the text form", () => {
  expect(selectParameter('parseJson(string_value)["k"]', { k: [1, "x"] })).toEqual([1, "x"]);
  expect(selectParameter('parseJson(string_value)["k"]', '{"k":"v"}')).toBe("v");
  expect(selectParameter("struct_value.k", { k: 1 })).toBe(1);
  expect(evaluateExpression("int(9007199254740993)", {})).toBe(9007199254740993n);
});

test("deep nesting is refused", () => {
  expect(() => evaluateExpression("(".repeat(100_000), {})).toThrow("nested too deeply");
});
