import { artifacts, collect, compare, container, dataset, forEach, integer, list, pipeline, string, when } from "@sluice/sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commandOf, statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

const DATASET = { schemaTitle: "system.Dataset", schemaVersion: "0.0.1" };
const published = (uri: string) => ({
  artifacts: [{ output: "data", name: "data", type: DATASET, uri, metadata: {}, digest: "sha256:0", size: 1 }],
});
const make = container({
  name: "make",
  image: "busybox",
  command: ({ inputs }) => ["make", inputs.text],
  inputs: { text: string() },
  outputs: { data: dataset() },
});
const read = container({
  name: "read",
  image: "busybox",
  command: ({ inputs }) => ["read", inputs.data.uri],
  inputs: { data: dataset() },
  outputs: {},
});

/** What a task of hand-written IR needs. */
const task = (name: string, component: string, rest: object = {}): object => ({
  [name]: { taskInfo: { name }, componentRef: { name: component }, cachingOptions: {}, ...rest },
});
const from = (producerTask: string, outputArtifactKey: string): object => ({ taskOutputArtifact: { producerTask, outputArtifactKey } });
const spec = (components: object, executors: object, root: object): object => ({
  ...{ pipelineInfo: { name: "complaint" }, schemaVersion: "2.1.0", sdkVersion: "kfp-2.15.2" },
  ...{ components, deploymentSpec: { executors }, root },
});

test("#11520 a task in a loop could not read the artifact that another task of its iteration had made", async () => {
  let made = 0;
  trial.work = (name) => (name === "make" ? published(`minio://b/${made++}`) : {});
  const split = pipeline({ name: "loop", inputs: { texts: list(string()) } }, ({ texts }) => {
    forEach(texts, (text) => {
      const { outputs } = make({ text });
      read({ data: outputs.data });
    });
  });
  const done = await trial.ends(await trial.start(split, { texts: ["a", "b", "c"] }), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ make: { SUCCEEDED: 3 }, read: { SUCCEEDED: 3 } });
  expect(
    trial
      .commandsOf("read")
      .map(([, uri]) => uri)
      .sort(),
  ).toEqual(["minio://b/0", "minio://b/1", "minio://b/2"]);
});

test("#9808 what a loop collected could not be used in a condition outside of it", async () => {
  trial.work = (name) => (name === "make" ? published(`minio://b/model`) : name === "one" ? { parameters: { number: 1 } } : {});
  const one = container({ name: "one", image: "busybox", command: ["one"], inputs: {}, outputs: { number: integer() } });
  const join = container({
    ...{ name: "join", image: "busybox", command: ({ executorInput }: { readonly executorInput: string }) => ["join", executorInput] },
    inputs: { models: artifacts(dataset()) },
    outputs: {},
  });
  const collected = pipeline({ name: "collected", inputs: {} }, () => {
    const { outputs } = one({});
    const data = forEach([1, 5, 10, 25], () => make({ text: "x" }).outputs.data);
    when(compare(outputs.number, "==", 1), () => join({ models: collect(data) }));
  });
  const done = await trial.ends(await trial.start(collected), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ make: { SUCCEEDED: 4 }, join: { SUCCEEDED: 1 } });
  const [[, told = ""] = []] = trial.commandsOf("join");
  expect(JSON.parse(told)).toMatchObject({
    inputs: { artifacts: { models: { artifacts: Array.from({ length: 4 }, () => ({ uri: "minio://b/model" })) } } },
  });
});

test("#12033 a pipeline that loops over a list of artifacts, made by another pipeline, could not be run", async () => {
  let made = 0;
  trial.work = (name) => (name === "make" ? published(`minio://b/${made++}`) : {});
  const components = {
    "comp-make": { executorLabel: "exec-make", outputDefinitions: { artifacts: { data: { artifactType: DATASET } } } },
    "comp-read": { executorLabel: "exec-read", inputDefinitions: { artifacts: { data: { artifactType: DATASET } } } },
    "comp-for-loop-1": {
      inputDefinitions: { parameters: { item: { parameterType: "NUMBER_INTEGER" } } },
      outputDefinitions: { artifacts: { data: { artifactType: DATASET, isArtifactList: true } } },
      dag: {
        tasks: task("make", "comp-make"),
        outputs: { artifacts: { data: { artifactSelectors: [{ producerSubtask: "make", outputArtifactKey: "data" }] } } },
      },
    },
    "comp-makes": {
      outputDefinitions: { artifacts: { data: { artifactType: DATASET, isArtifactList: true } } },
      dag: {
        tasks: task("for-loop-1", "comp-for-loop-1", { parameterIterator: { itemInput: "item", items: { raw: "[1,2,3]" } } }),
        outputs: { artifacts: { data: { artifactSelectors: [{ producerSubtask: "for-loop-1", outputArtifactKey: "data" }] } } },
      },
    },
    "comp-for-loop-2": {
      inputDefinitions: { artifacts: { all: { artifactType: DATASET, isArtifactList: true }, one: { artifactType: DATASET } } },
      dag: { tasks: task("read", "comp-read", { inputs: { artifacts: { data: { componentInputArtifact: "one" } } } }) },
    },
  };
  const loop = { artifactIterator: { itemInput: "one", items: { inputArtifact: "all" } }, inputs: { artifacts: { all: from("makes", "data") } } };
  const root = {
    dag: { tasks: { ...task("makes", "comp-makes"), ...task("for-loop-2", "comp-for-loop-2", { ...loop, dependentTasks: ["makes"] }) } },
  };
  const executors = {
    "exec-make": { container: { image: "busybox", command: ["make"] } },
    "exec-read": { container: { image: "busybox", command: ["read", "{{$.inputs.artifacts['data'].uri}}"] } },
  };
  const done = await trial.ends(await trial.start(spec(components, executors, root) as never), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ make: { SUCCEEDED: 3 }, read: { SUCCEEDED: 3 } });
  expect(
    trial
      .commandsOf("read")
      .map(([, uri]) => uri)
      .sort(),
  ).toEqual(["minio://b/0", "minio://b/1", "minio://b/2"]);
});

test("#10860 dsl.importer could not be used in a loop", async () => {
  const components = {
    "comp-importer": {
      executorLabel: "exec-importer",
      inputDefinitions: { parameters: { uri: { parameterType: "STRING" } } },
      outputDefinitions: { artifacts: { artifact: { artifactType: DATASET } } },
    },
    "comp-for-loop-1": {
      inputDefinitions: { parameters: { uris: { parameterType: "LIST" }, uri: { parameterType: "STRING" } } },
      outputDefinitions: { artifacts: { files: { artifactType: DATASET, isArtifactList: true } } },
      dag: {
        tasks: task("importer", "comp-importer", { inputs: { parameters: { uri: { componentInputParameter: "uri" } } } }),
        outputs: { artifacts: { files: { artifactSelectors: [{ producerSubtask: "importer", outputArtifactKey: "artifact" }] } } },
      },
    },
    "comp-read": { executorLabel: "exec-read", inputDefinitions: { artifacts: { files: { artifactType: DATASET, isArtifactList: true } } } },
  };
  const executors = {
    "exec-importer": { importer: { artifactUri: { runtimeParameter: "uri" }, typeSchema: DATASET } },
    "exec-read": { container: { image: "busybox", command: ["read", "{{$}}"] } },
  };
  const root = {
    inputDefinitions: { parameters: { uris: { parameterType: "LIST" } } },
    dag: {
      tasks: {
        ...task("for-loop-1", "comp-for-loop-1", {
          inputs: { parameters: { uris: { componentInputParameter: "uris" } } },
          parameterIterator: { itemInput: "uri", items: { inputParameter: "uris" } },
        }),
        ...task("read", "comp-read", { dependentTasks: ["for-loop-1"], inputs: { artifacts: { files: from("for-loop-1", "files") } } }),
      },
    },
  };
  const uris = ["minio://wh/one.geojson", "minio://wh/two.geojson"];
  const done = await trial.ends(await trial.start(spec(components, executors, root) as never, { uris }), "SUCCEEDED");
  expect(statesOf(done)).toMatchObject({ importer: { SUCCEEDED: 2 }, read: { SUCCEEDED: 1 } });
  const [[, told = ""] = []] = trial.commandsOf("read");
  expect(JSON.parse(told)).toMatchObject({ inputs: { artifacts: { files: { artifacts: uris.map((uri) => ({ uri })) } } } });
});

test("#10039 pipelines within pipelines did not find each other's outputs, least where their tasks have the same names", async () => {
  const parameter = { Output: { parameterType: "STRING" } };
  const say = { inputDefinitions: { parameters: { text: { parameterType: "STRING" } } }, outputDefinitions: { parameters: parameter } };
  const out = (producerSubtask: string): object => ({
    outputDefinitions: { parameters: parameter },
    dag: {
      tasks: {
        ...task("say", producerSubtask === "say" ? "comp-say" : "comp-inner", {
          inputs: { parameters: { text: { runtimeValue: { constant: "deep" } } } },
        }),
      },
      outputs: { parameters: { Output: { valueFromParameter: { producerSubtask: "say", outputParameterKey: "Output" } } } },
    },
  });
  const components = {
    "comp-say": { executorLabel: "exec-say", ...say },
    "comp-inner": { ...say, ...out("say") },
    "comp-middle": { ...say, ...out("inner") },
  };
  const executors = { "exec-say": { container: { image: "busybox", command: ["say", "{{$.inputs.parameters['text']}}"] } } };
  const output = (producerTask: string): object => ({
    inputs: { parameters: { text: { taskOutputParameter: { producerTask, outputParameterKey: "Output" } } } },
  });
  const constant = { inputs: { parameters: { text: { runtimeValue: { constant: "top" } } } } };
  const root = {
    dag: { tasks: { ...task("middle", "comp-middle", constant), ...task("say", "comp-say", { ...output("middle"), dependentTasks: ["middle"] }) } },
  };
  trial.work = (_name, pod) => ({ parameters: { Output: `${commandOf(pod)[1]}!` } });
  await trial.ends(await trial.start(spec(components, executors, root) as never), "SUCCEEDED");
  expect(trial.commandsOf("say")).toEqual([
    ["say", "deep"],
    ["say", "deep!"],
  ]);
});
