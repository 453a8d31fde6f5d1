import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInThisContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { artifacts, component, container, dataset, list, model, number, optional, string, type Component } from "./index.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "sluice-sdk-"))));
afterEach(() => rmSync(root, { recursive: true }));

/** Runs a component as its container would be, with the artifacts below `root`. */
function run(
  { definition }: { readonly definition: Component<never, never>["definition"] },
  input: object,
  env: Record<string, string> = {},
): { status: number | null; stderr: string; output: unknown } {
  const outputFile = join(root, "output.json");
  const [, ...words] = definition.executor.command;
  mkdirSync(join(root, "tmp"), { recursive: true });
  const { status, stderr } = spawnSync(
    process.execPath,
    [...words, JSON.stringify({ ...input, outputs: { ...("outputs" in input ? (input.outputs as object) : {}), outputFile } })],
    {
      env: { PATH: process.env["PATH"] ?? "", TMPDIR: join(root, "tmp"), SLUICE_ARTIFACT_ROOT: root, ...env },
      encoding: "utf8",
    },
  );
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
  return { status, stderr, output: status === 0 ? JSON.parse(readFileSync(outputFile, "utf8")) : undefined };
}

test("a function gets its inputs and gives its outputs", () => {
  const train = component({
    name: "train",
    inputs: { lr: number(), data: artifacts(dataset()) },
    outputs: { model: model(), accuracy: number() },
    run: async ({ inputs, outputs }) => {
      const { readFileSync: read, writeFileSync: write } = process.getBuiltinModule("node:fs");
      write(outputs.model.path, `$$ $(x) {{$}} ${inputs.lr} ${inputs.data.map(({ path }) => read(path, "utf8")).join()}`);
      outputs.model.metadata["lr"] = inputs.lr;
      return { accuracy: inputs.lr * 2 };
    },
  });
  mkdirSync(join(root, "minio/b"), { recursive: true });
  writeFileSync(join(root, "minio/b/data"), "DATA");
  expect(train.definition.executor.command.join("")).not.toMatch(/\$\$|\$\(|\{\{\$/u);
  const { output } = run(train, {
    inputs: { parameterValues: { lr: 0.25 }, artifacts: { data: { artifacts: [{ name: "data", uri: "minio://b/data" }] } } },
    outputs: {
      parameters: { accuracy: { outputFile: join(root, "accuracy") } },
      artifacts: { model: { artifacts: [{ name: "model", uri: "minio://b/run/model" }] } },
    },
  });
  expect(readFileSync(join(root, "minio/b/run/model"), "utf8")).toBe("$$ $(x) {{$}} 0.25 DATA");
  expect(output).toEqual({
    parameterValues: { accuracy: 0.5 },
    artifacts: { model: { artifacts: [{ name: "model", uri: "minio://b/run/model", metadata: { lr: 0.25 } }] } },
  });
});

/** A function as it is written by an author whose module no test runner has rewritten. */
function written(body: string): () => never {
  return runInThisContext(`async ({ inputs, outputs }) => {${body}}`) as () => never;
}
const answer = { outputs: { parameters: { text: { outputFile: "" } } } };

test("files travel with a component, and packages are found where they are installed", () => {
  writeFileSync(join(root, "greet.ts"), 'import name from "somebody";\nexport const greet = (word: string): string => `"${word}, ${name}"`;\n');
  const place = join(root, "modules/somebody");
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "package.json"), '{"version":"1.2.3","type":"module","exports":"./main.js"}');
  writeFileSync(join(place, "main.js"), 'export default "you";');
  const greet = component({
    name: "greet",
    inputs: {},
    outputs: { text: string() },
    files: [pathToFileURL(join(root, "greet.ts"))],
    packages: ["somebody@1.2.3"],
    run: written('const { greet } = await import("./greet.ts"); return { text: greet("hello") };'),
  });
  expect(run(greet, answer, { NODE_PATH: join(root, "modules") }).output).toMatchObject({ parameterValues: { text: '"hello, you"' } });
  expect(run(greet, answer, { PATH: "" }).stderr).toMatch(/^Error: the image does not have somebody@1\.2\.3, nor npm to install it/u);
});

test("an output may be somewhere else, and an input may be missing", () => {
  const point = component({
    name: "point",
    inputs: { seed: optional(number()), from: optional(model()) },
    outputs: { model: model(), seed: string() },
    run: ({ inputs, outputs }) => {
      outputs.model.uri = "s3://elsewhere/model";
      return { seed: `${inputs.seed} ${inputs.from?.path}` };
    },
  });
  const { output } = run(point, {
    inputs: { parameterValues: { seed: null } },
    outputs: { parameters: { seed: { outputFile: "" } }, artifacts: { model: { artifacts: [{ name: "model", uri: "minio://b/model" }] } } },
  });
  expect(output).toEqual({
    parameterValues: { seed: "undefined undefined" },
    artifacts: { model: { artifacts: [{ name: "model", uri: "s3://elsewhere/model", metadata: {} }] } },
  });
});

test("an error says what and where, without the machinery", () => {
  const fail = component({ name: "fail", inputs: {}, outputs: {}, run: written('throw new Error("too few samples", { cause: "none" });') });
  const { status, stderr } = run(fail, {});
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Error: too few samples\n +at run \(component\.js:2:\d+\)/u);
  expect(stderr).not.toContain("node:internal");
  const forget = component({ name: "forget", inputs: {}, outputs: { text: string() }, run: written("") });
  expect(run(forget, answer).stderr).toContain('did not return its output "text"');
  const diverge = component({ name: "diverge", inputs: {}, outputs: { text: string() }, run: written("return { text: NaN }") });
  expect(run(diverge, answer).stderr.trimEnd()).toBe('Error: output "text" is NaN, which no output can be');
});

test("what cannot travel is refused", () => {
  const base = { name: "c", inputs: {}, outputs: {} };
  expect(() => component({ ...base, run: Math.random })).toThrow("no source");
  expect(() => component({ ...base, run: written('await import("./network.ts")') })).toThrow("does not travel");
  expect(() => component({ ...base, packages: ["mnist@^1.1.0"], run: () => undefined })).toThrow("no exact version");
  expect(() => component({ ...base, files: [new URL("file:///nowhere/x.ts")], run: () => undefined })).toThrow("cannot read");
  expect(() => component({ ...base, run: written(`"${"x".repeat(200_000)}"`) })).toThrow("too long for a command line");
});

test("a container's command has typed placeholders", () => {
  const copy = container({
    name: "copy",
    image: "busybox",
    command: ({ inputs, outputs, executorInput }) => [
      inputs.from,
      inputs.data.path,
      inputs.data.uri,
      outputs.data.path,
      outputs.text.file,
      executorInput,
    ],
    inputs: { from: string(), data: dataset(), many: list(string()) },
    outputs: { data: dataset(), text: string() },
  });
  expect(copy.definition.executor.command).toEqual([
    "{{$.inputs.parameters['from']}}",
    "{{$.inputs.artifacts['data'].path}}",
    "{{$.inputs.artifacts['data'].uri}}",
    "{{$.outputs.artifacts['data'].path}}",
    "{{$.outputs.parameters['text'].output_file}}",
    "{{$}}",
  ]);
});
