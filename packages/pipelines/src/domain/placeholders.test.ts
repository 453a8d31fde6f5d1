import { UserError } from "@sluice/kubernetes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExecutorInput } from "./executor-input.ts";
import { resolveCommandLine, resolveConstant, resolveText } from "./placeholders.ts";

const input: ExecutorInput = {
  inputs: {
    parameterValues: { n: 5, s: "{{$.inputs.parameters['n']}}", none: null, l: [1] },
    artifacts: { ds: { artifacts: [{ name: "17", uri: "minio://b/ds", metadata: { k: "v", r: 2 } }] } },
  },
  outputs: {
    parameters: { Output: { outputFile: "/tmp/kfp/outputs/Output" } },
    artifacts: { model: { artifacts: [{ name: "model", uri: "s3://b/model" }] } },
    outputFile: "/minio/out.json",
  },
};
const args = (...values: string[]): readonly string[] => resolveCommandLine({ command: [], args: values }, { input }).args;

describe("resolveCommandLine", () => {
  test.each([
    ["{{$}}", JSON.stringify(input)],
    ["a{{$.inputs.parameters['n']}}b{{$.inputs.parameters[\"n\"]}}", "a5b5"],
    ["{{$.inputs.parameters['s']}}", "{{$.inputs.parameters['n']}}"],
    ["{{$.inputs.parameters['none']}}", ""],
    ["{{$.inputs.parameters['l']}}", "[1]"],
    ["{{$.inputs.artifacts['ds'].uri}} {{$.inputs.artifacts['ds'].path}}", "minio://b/ds /minio/b/ds"],
    ["{{$.inputs.artifacts['ds'].name}} {{$.inputs.artifacts['ds'].metadata['k']}}", "17 v"],
    ["{{$.inputs.artifacts['ds'].metadata}}", '{"k":"v","r":2}'],
    ["{{$.outputs.artifacts['model'].path}}", "/s3/b/model"],
    ["{{$.outputs.parameters['Output'].output_file}} {{$.outputs.output_file}}", "/tmp/kfp/outputs/Output /minio/out.json"],
    ["{{$x}} {{ $.y }}", "{{$x}} {{ $.y }}"],
  ])("%s", (text, expected) => {
    expect(args(text)).toEqual([expected]);
  });

  test.each(["{{$.nope}}", "{{$.inputs.parameters['zz']}}", "{{$.inputs.artifacts['ds'].nope}}", "{{$.a b}}"])("%s is refused by name", (text) => {
    expect(() => args(text)).toThrow(UserError);
    expect(() => args(text)).toThrow(text);
  });

  test("Concat and IfPresent, nested and with lists", () => {
    const list = { IfPresent: { InputName: "n", Then: ["--n", "{{$.inputs.parameters['n']}}"], Else: ["--none"] } };
    const missing = { IfPresent: { InputName: "zz", Then: "x" } };
    const artifact = { IfPresent: { InputName: "ds", Then: { Concat: ["ds=", "{{$.inputs.artifacts['ds'].uri}}"] } } };
    const concat = { Concat: ["a", JSON.stringify({ Concat: ["b", "{{$.inputs.parameters['s']}}"] }), missing] };
    expect(args(...[list, missing, artifact, concat].map((item) => JSON.stringify(item)))).toEqual([
      "--n",
      "5",
      "ds=minio://b/ds",
      "ab{{$.inputs.parameters['n']}}",
    ]);
    const nullInput = { IfPresent: { InputName: "none", Then: "x", Else: "y" } };
    expect(args(JSON.stringify(nullInput))).toEqual(["y"]);
    expect(() => args('{"Concat": 1}')).toThrow("malformed placeholder");
    expect(args('{"Concat": not json')).toEqual(['{"Concat": not json']);
  });

  test("absent optional inputs are empty, and other texts resolve as well", () => {
    const scope = { input, optionalInputs: new Set(["opt"]), pipeline: { workspace_path: "/kfp-workspace" } };
    expect(resolveText("[{{$.inputs.parameters['opt']}}]{{$.workspace_path}}", scope)).toBe("[]/kfp-workspace");
  });

  test("any value survives byte for byte", () => {
    const tricky = fc.constantFrom("{{$}}", "{{$.inputs.parameters['v']}}", '{"Concat":["x"]}', "$&", "$1", '"', "\\", "\n");
    const value = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(fc.oneof(tricky, fc.string())).map((all) => all.join("")),
    );
    fc.assert(
      fc.property(value, (v) => {
        const scope = { input: { inputs: { parameterValues: { v } } } };
        const text = "{{$.inputs.parameters['v']}}";
        const line = { command: [text], args: [`<${text}|${text}>`, JSON.stringify({ Concat: ["<", text] }), "{{$}}"] };
        const resolved = resolveCommandLine(line, scope);
        expect(resolved.command).toEqual([v]);
        expect(resolved.args.slice(0, 2)).toEqual([`<${v}|${v}>`, `<${v}`]);
        expect(JSON.parse(resolved.args[2] ?? "")).toEqual(scope.input);
        expect(resolveConstant(`<${text}>`, { v }, {})).toBe(`<${v}>`);
      }),
    );
  });
});

test("resolveConstant", () => {
  const siblings = { a: 'say "hi"\n{{$.pipeline_job_name}}', n: 5 };
  const pipeline = { pipeline_job_name: "run", workspace_path: "/w" };
  expect(resolveConstant("{{$.inputs.parameters['a']}}!", siblings, pipeline)).toBe(`${siblings.a}!`);
  expect(resolveConstant(["{{$.pipeline_job_name}}", { p: "{{$.workspace_path}}/x" }, 1], siblings, pipeline)).toEqual(["run", { p: "/w/x" }, 1]);
  expect(() => resolveConstant("{{$.pipeline_root}}", siblings, pipeline)).toThrow("{{$.pipeline_root}}");
});
