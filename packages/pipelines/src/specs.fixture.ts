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
