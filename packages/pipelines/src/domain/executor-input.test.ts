import { describe, expect, test } from "vitest";
import { localPathOfArtifact, localPathOfUri, parameterFromText, parameterText, type ParameterType, parseExecutorOutput } from "./executor-input.ts";

describe("parseExecutorOutput", () => {
  test("reads parameters and artifacts", () => {
    const artifacts = { m: { artifacts: [{ name: "m", uri: "s3://b/m", metadata: { a: [1] }, custom_path: "/x" }] } };
    expect(parseExecutorOutput(JSON.stringify({ parameterValues: { Output: 5 }, artifacts }))).toEqual({
      parameterValues: { Output: 5 },
      artifacts: { m: { artifacts: [{ name: "m", uri: "s3://b/m", metadata: { a: [1] }, customPath: "/x" }] } },
    });
    expect(parseExecutorOutput("{}")).toEqual({ parameterValues: {}, artifacts: {} });
  });

  test.each([
    ["{", "not valid JSON"],
    ["[]", "$ must be an object"],
    ['{"extra":1}', '$ has the unknown field "extra"'],
    ['{"artifacts":{"m":{"artifacts":[{"uri":1}]}}}', '$.artifacts["m"].artifacts[0].uri must be a string'],
    ['{"parameterValues":{"x":NaN}}', "not valid JSON"],
  ])("%s is refused", (text, message) => {
    expect(() => parseExecutorOutput(text)).toThrow(message);
  });
});

test("local paths", () => {
  expect(localPathOfUri("minio://b/k")).toBe("/minio/b/k");
  expect(localPathOfUri("s3://b/k")).toBe("/s3/b/k");
  expect(localPathOfUri("gs://b/k")).toBe("/gcs/b/k");
  expect(localPathOfUri("oci://r.io/a/b:1")).toBe("/oci/r.io_a_b:1/models");
  expect(localPathOfUri("/tmp/x")).toBe("/tmp/x");
  expect(localPathOfArtifact({ uri: "gs://b/k", metadata: { _kfp_workspace: true } })).toBe("/kfp-workspace/.artifacts/gcs/b/k");
  expect(localPathOfArtifact({ uri: "gs://b/k", customPath: "/c" })).toBe("/c");
});

test("the text form of values", () => {
  const values = [5.0, 0.5, 1e21, 1.5e-7, true, null, "a\n", [1, "x"], { a: null }];
  const texts = ["5", "0.5", "1000000000000000000000", "0.00000015", "true", "", "a\n", '[1,"x"]', '{"a":null}'];
  expect(values.map(parameterText)).toEqual(texts);
});

describe("parameterFromText", () => {
  const good: [string, ParameterType, unknown][] = [
    [" 5\n", "NUMBER_INTEGER", 5],
    ["-1e-3", "NUMBER_DOUBLE", -0.001],
    ["True\n", "BOOLEAN", true],
    [" x\n", "STRING", " x\n"],
    ["[1]", "LIST", [1]],
    ['{"a":1}', "STRUCT", { a: 1 }],
  ];
  test.each(good)("%j as %s", (text, type, value) => {
    expect(parameterFromText("p", text, type)).toEqual(value);
  });

  const bad: [string, ParameterType, string][] = [
    ["5.5", "NUMBER_INTEGER", 'parameter "p": expected an integer (NUMBER_INTEGER), got "5.5"'],
    ["9007199254740993", "NUMBER_INTEGER", "within"],
    ["", "NUMBER_DOUBLE", "expected a number"],
    ["yes", "BOOLEAN", "expected a boolean"],
    ["{}", "LIST", "expected a JSON list"],
    ["[", "STRUCT", "expected a JSON object"],
  ];
  test.each(bad)("%j is not a %s", (text, type, message) => {
    expect(() => parameterFromText("p", text, type)).toThrow(message);
  });
});
