import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { openDirectoryStore, type ObjectStore } from "@sluice/object-store";
import { compile, component, dataset, list, model, number, pipeline } from "@sluice/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parsePipeline } from "../domain/ir-parse.ts";
import { advance, type EngineContext, newRun, type PodManifest, type TaskReport } from "../engine/index.ts";
import { AgentPod } from "./agent-pod.fixture.ts";
import { AGENT_TASK_ENV, type AgentTask } from "./agent-task.ts";

let home: string;
let reports: TaskReport[];
let lines: string[];
let objects: ObjectStore;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "agent-"));
  objects = await openDirectoryStore({ directory: join(home, "objects") });
  reports = [];
  lines = [];
});
afterEach(async () => {
  await objects[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const root = (): string => join(home, "root");

async function agent(verb: "fetch" | "publish", task: AgentTask | string): Promise<number> {
  const pod = new AgentPod({ directory: root(), stores: { of: () => objects }, report: async (report) => void reports.push(report) });
  try {
    return await pod.agent(verb, task);
  } finally {
    lines.push(...pod.lines);
  }
}

function write(path: string, text: string): void {
  const file = join(root(), path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const task: AgentTask = {
  runId: "r",
  taskId: "t",
  attempt: 0,
  inputs: [],
  home: "minio://b/t",
  outputFile: "/minio/b/t/output_metadata.json",
  parameters: { n: { type: "NUMBER_INTEGER", path: "/tmp/kfp/outputs/n" }, s: { type: "STRING", path: "/tmp/kfp/outputs/s" } },
  artifacts: {
    model: { name: "model", type: { schemaTitle: "system.Model" }, uri: "minio://b/t/model", metadata: { a: 1 } },
    scores: { name: "scores", type: { schemaTitle: "system.Metrics" }, uri: "minio://b/t/scores", metadata: {} },
  },
};

test("publishes files, directories, parameters and metadata, and does so again", async () => {
  write("/tmp/kfp/outputs/n", "7\n");
  write("/minio/b/t/model/weights/1", "one");
  write("/minio/b/t/model/config", "two");
  write(task.outputFile, JSON.stringify({ parameterValues: { s: "x" }, artifacts: { scores: { artifacts: [{ metadata: { accuracy: 0.9 } }] } } }));
  expect(await agent("publish", task)).toBe(0);
  await agent("publish", task);
  expect(reports[1]).toEqual(reports[0]);
  expect(reports[0]).toMatchObject({ runId: "r", taskId: "t", attempt: 0, parameters: { n: 7, s: "x" }, problems: [] });
  expect(reports[0]?.artifacts).toEqual([
    { output: "model", ...task.artifacts["model"], size: 6, digest: expect.stringMatching(/^sha256:/) },
    { output: "scores", ...task.artifacts["scores"], metadata: { accuracy: 0.9 } },
  ]);
  await agent("fetch", { ...task, inputs: [{ uri: "minio://b/t/model", path: "/s3/elsewhere" }] });
  expect(readFileSync(join(root(), "/s3/elsewhere/weights/1"), "utf8")).toBe("one");
});

test("carries directories of many files", async () => {
  const count = 300;
  write("/tmp/kfp/outputs/n", "7");
  write("/tmp/kfp/outputs/s", "x");
  for (let index = 0; index < count; index++) write(`/minio/b/t/model/${index % 7}/${index}`, `${index}`);
  write(task.outputFile, JSON.stringify({ artifacts: { model: { artifacts: [{ uri: "minio://b/t/model/" }] } } }));
  await agent("publish", task);
  expect(reports[0]).toMatchObject({ problems: [], artifacts: [{ size: 790 }, {}] });
  await agent("fetch", { ...task, inputs: [{ uri: "minio://b/t/model", path: "/s3/elsewhere" }] });
  for (let index = 0; index < count; index++) expect(readFileSync(join(root(), `/s3/elsewhere/${index % 7}/${index}`), "utf8")).toBe(`${index}`);
  expect(lines.join("\n")).toContain(`fetched minio://b/t/model (${count} files)`);
});

test("takes an artifact from a path of its own, and says where no such path can be", async () => {
  write("/tmp/kfp/outputs/n", "7");
  write("/tmp/kfp/outputs/s", "x");
  write("/tmp/own", "weights");
  const at = (customPath: string): object => ({ artifacts: [{ custom_path: customPath }] });
  write(task.outputFile, JSON.stringify({ artifacts: { model: at("/tmp/own"), scores: at("/home/own") } }));
  await agent("publish", task);
  expect(await buffer(objects.get("minio://b/t/model"))).toEqual(Buffer.from("weights"));
  expect(reports[0]?.problems).toEqual([
    expect.stringMatching(/"scores": \/home\/own lies in the container's own files.* or to a path below \/tmp$/),
  ]);
});

test("says which output is missing, and where it was expected", async () => {
  write("/tmp/kfp/outputs/n", "seven");
  write(task.outputFile, "{");
  expect(await agent("publish", task)).toBe(0);
  expect(reports[0]?.problems).toEqual([
    expect.stringContaining("output_metadata.json: executor output: not valid JSON"),
    expect.stringContaining('output parameter "n": expected an integer'),
    expect.stringMatching(/output parameter "s" is missing: expected it in \/tmp\/kfp\/outputs\/s/),
  ]);
  expect(lines.join("\n")).toContain('"model" has no content: nothing was written to /minio/b/t/model');
});

test("follows links within a volume, and none that leads out of it", async () => {
  writeFileSync(join(home, "secret"), "secret");
  write("/minio/b/t/model/blobs/1", "weights");
  symlinkSync("blobs/1", join(root(), "/minio/b/t/model/link"));
  symlinkSync("nowhere", join(root(), "/minio/b/t/model/dangling"));
  symlinkSync(join(home, "secret"), join(root(), "/minio/b/t/scores"));
  write("/tmp/kfp/outputs/n", "7");
  symlinkSync(join(home, "secret"), join(root(), "/tmp/kfp/outputs/s"));
  expect(await agent("publish", task)).toBe(0);
  expect(reports[0]?.parameters).toEqual({ n: 7 });
  expect(reports[0]?.problems).toEqual([
    expect.stringMatching(/output .*outputs\/s is a link that leads out of its volume/),
    expect.stringMatching(/"scores": .*scores is a link that leads out of its volume/),
  ]);
  expect((await Array.fromAsync(objects.list("minio://b"))).map(({ uri, size }) => [uri, size])).toEqual([
    ["minio://b/t/model/blobs/1", 7],
    ["minio://b/t/model/link", 7],
  ]);
  rmSync(join(root(), "/minio/b/t/scores"));
  symlinkSync(home, join(root(), "/minio/b/t/model/out"));
  symlinkSync(home, join(root(), "/minio/b/t/scores"));
  await agent("publish", task);
  expect(reports[1]?.problems).toHaveLength(3);
});

test("a compiled pipeline runs under node from pod manifests alone", async () => {
  const train = component({
    name: "train",
    inputs: { lr: number(), text: list(number()) },
    outputs: { data: dataset(), half: number() },
    run: async ({ inputs, outputs }) => {
      const { writeFileSync } = process.getBuiltinModule("node:fs");
      writeFileSync(outputs.data.path, `lr=${inputs.lr} $(HOME) ${inputs.text.length}`);
      outputs.data.metadata["rows"] = 3;
      return { half: inputs.lr / 2 };
    },
  });
  const read = component({
    name: "read",
    inputs: { data: dataset(), half: number() },
    outputs: { copy: model(), rows: number() },
    run: async ({ inputs, outputs }) => {
      const { readFileSync, writeFileSync } = process.getBuiltinModule("node:fs");
      writeFileSync(outputs.copy.path, `${readFileSync(inputs.data.path, "utf8")} half=${inputs.half}`);
      return { rows: Number(inputs.data.metadata["rows"]) };
    },
  });
  const yaml = compile(
    pipeline({ name: "real", inputs: {} }, () => {
      const trained = train({ lr: 4, text: [1, 2] });
      read({ data: trained.outputs.data, half: trained.outputs.half });
    }),
  );
  const context: EngineContext = { sha256: (text) => createHash("sha256").update(text).digest("hex"), settings: {}, isCacheEnabled: false };
  const spec = parsePipeline(yaml).pipelineSpec;
  const run = newRun({ id: "r", displayName: "r", namespace: "n", spec, parameters: {}, pipelineRoot: "minio://b/p", createdAt: 0 });
  const queue = [...advance(run, { type: "runStarted", time: 1 }, context).effects];
  for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
    if (effect.type !== "createPod") continue;
    await runPod(effect.pod);
    const report = reports.at(-1);
    const { taskId, attempt } = effect;
    queue.push(...advance(run, { type: "podFinished", time: 2, taskId, attempt, succeeded: true, ...(report ? { report } : {}) }, context).effects);
  }
  expect(run.progress).toMatchObject({ phase: "SUCCEEDED" });
  const last = run.child(run.root ?? "", "read");
  expect(last?.outputs.parameters).toEqual({ rows: 3 });
  const copy = last?.outputs.artifacts["copy"]?.[0];
  expect((await buffer(objects.get(copy?.uri ?? ""))).toString()).toBe("lr=4 $(HOME) 2 half=2");
});

/** A node in small: a directory for the pod's volume, its paths rewritten in the command, `$$` as Kubernetes has it. */
async function runPod(pod: PodManifest): Promise<void> {
  rmSync(root(), { recursive: true, force: true });
  const expand = (text: string): string => text.replaceAll("$$", "$");
  const env = (name: string): string => expand(pod.spec.initContainers[0]?.env?.find((one) => one.name === name)?.value ?? "");
  for (const { args } of pod.spec.initContainers) if (args?.[0] === "fetch") await agent("fetch", env(AGENT_TASK_ENV));
  const [main] = pod.spec.containers;
  const local = (text: string): string => expand(text).replaceAll('"/minio/', `"${root()}/minio/`);
  const [, ...words] = [...(main?.command ?? []), ...(main?.args ?? [])].map(local);
  await promisify(execFile)(process.execPath, words, { env: { SLUICE_ARTIFACT_ROOT: root() } });
  await agent("publish", env(AGENT_TASK_ENV));
}
