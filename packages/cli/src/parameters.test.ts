import { expect, test } from "vitest";
import { parametersOf } from "./parameters.ts";

const types = { text: "STRING", count: "NUMBER_INTEGER", rate: "NUMBER_DOUBLE", deep: "BOOLEAN", list: "LIST", map: "STRUCT" };
const ir = JSON.stringify({
  root: { inputDefinitions: { parameters: Object.fromEntries(Object.entries(types).map(([name, parameterType]) => [name, { parameterType }])) } },
});

test("values are read as they are declared", () => {
  expect(parametersOf(ir, ["text=1=2", "count=3", "rate=0.5", "deep=true", "list=[1]", 'map={"a":1}'])).toEqual({
    text: "1=2",
    count: 3,
    rate: 0.5,
    deep: true,
    list: [1],
    map: { a: 1 },
  });
});

test.each([
  ["count=1.5", "takes a whole number"],
  ["deep=yes", "takes true or false"],
  ["map=[]", "takes a JSON object"],
  ["none=1", "has no parameter"],
  ["text", "has no value"],
])("%s is refused", (argument, message) => expect(() => parametersOf(ir, [argument])).toThrow(message));
