import type { JsonObject } from "./domain/ir.ts";

const container = { image: "python", command: ["run"], args: ["{{$}}"] };

/** `first(n) -> second`: two containers, of which the second takes the first's output. */
export const CHAIN: JsonObject = {
  pipelineInfo: { name: "chain" },
  schemaVersion: "2.1.0",
  sdkVersion: "kfp-2.15.2",
  deploymentSpec: { executors: { "exec-first": { container }, "exec-second": { container } } },
  components: {
    "comp-first": {
      executorLabel: "exec-first",
      inputDefinitions: { parameters: { n: { parameterType: "NUMBER_INTEGER" } } },
      outputDefinitions: {
        parameters: { Output: { parameterType: "NUMBER_INTEGER" } },
        artifacts: { report: { artifactType: { schemaTitle: "system.HTML", schemaVersion: "0.0.1" } } },
      },
    },
    "comp-second": { executorLabel: "exec-second", inputDefinitions: { parameters: { m: { parameterType: "NUMBER_INTEGER" } } } },
  },
  root: {
    inputDefinitions: { parameters: { n: { parameterType: "NUMBER_INTEGER" }, label: { parameterType: "STRING", defaultValue: "x" } } },
    dag: {
      tasks: {
        first: {
          taskInfo: { name: "first" },
          componentRef: { name: "comp-first" },
          cachingOptions: { enableCache: true },
          inputs: { parameters: { n: { componentInputParameter: "n" } } },
        },
        second: {
          taskInfo: { name: "second" },
          componentRef: { name: "comp-second" },
          dependentTasks: ["first"],
          inputs: { parameters: { m: { taskOutputParameter: { producerTask: "first", outputParameterKey: "Output" } } } },
        },
      },
    },
  },
};

/** One container per item of the pipeline's input `items`. */
export const WIDE: JsonObject = {
  pipelineInfo: { name: "wide" },
  schemaVersion: "2.1.0",
  deploymentSpec: { executors: { "exec-one": { container } } },
  components: {
    "comp-one": { executorLabel: "exec-one", inputDefinitions: { parameters: { item: { parameterType: "NUMBER_INTEGER" } } } },
    "comp-for-loop-1": {
      inputDefinitions: { parameters: { items: { parameterType: "LIST" }, "items-loop-item": { parameterType: "NUMBER_INTEGER" } } },
      dag: {
        tasks: {
          one: {
            taskInfo: { name: "one" },
            componentRef: { name: "comp-one" },
            inputs: { parameters: { item: { componentInputParameter: "items-loop-item" } } },
          },
        },
      },
    },
  },
  root: {
    inputDefinitions: { parameters: { items: { parameterType: "LIST" } } },
    dag: {
      tasks: {
        "for-loop-1": {
          taskInfo: { name: "for-loop-1" },
          componentRef: { name: "comp-for-loop-1" },
          inputs: { parameters: { items: { componentInputParameter: "items" } } },
          parameterIterator: { itemInput: "items-loop-item", items: { inputParameter: "items" } },
        },
      },
    },
  },
};

const dataset = { artifactType: { schemaTitle: "system.Dataset", schemaVersion: "0.0.1" } };
const model = { artifactType: { schemaTitle: "system.Model", schemaVersion: "0.0.1" } };

/** `import(uri) -> train -> judge`: an imported dataset, a model made of it, and what looks at the model. */
export const LINE: JsonObject = {
  pipelineInfo: { name: "line" },
  schemaVersion: "2.1.0",
  deploymentSpec: {
    executors: {
      "exec-import": { importer: { artifactUri: { runtimeParameter: "uri" }, typeSchema: dataset.artifactType } },
      "exec-train": { container },
      "exec-judge": { container },
    },
  },
  components: {
    "comp-import": {
      executorLabel: "exec-import",
      inputDefinitions: { parameters: { uri: { parameterType: "STRING" } } },
      outputDefinitions: { artifacts: { artifact: dataset } },
    },
    "comp-train": {
      executorLabel: "exec-train",
      inputDefinitions: { artifacts: { data: dataset } },
      outputDefinitions: { artifacts: { model } },
    },
    "comp-judge": { executorLabel: "exec-judge", inputDefinitions: { artifacts: { model } } },
  },
  root: {
    inputDefinitions: { parameters: { uri: { parameterType: "STRING" } } },
    dag: {
      tasks: {
        import: {
          taskInfo: { name: "import" },
          componentRef: { name: "comp-import" },
          inputs: { parameters: { uri: { componentInputParameter: "uri" } } },
        },
        train: {
          taskInfo: { name: "train" },
          componentRef: { name: "comp-train" },
          cachingOptions: { enableCache: true },
          inputs: { artifacts: { data: { taskOutputArtifact: { producerTask: "import", outputArtifactKey: "artifact" } } } },
        },
        judge: {
          taskInfo: { name: "judge" },
          componentRef: { name: "comp-judge" },
          inputs: { artifacts: { model: { taskOutputArtifact: { producerTask: "train", outputArtifactKey: "model" } } } },
        },
      },
    },
  },
};
