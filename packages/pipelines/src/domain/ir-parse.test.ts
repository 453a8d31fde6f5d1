import { UserError } from "@sluice/kubernetes";
import { expect, test } from "vitest";

import { parsePipeline, parsePipelineObject } from "./ir-parse.ts";

const good = `
pipelineInfo: {name: two-step}
schemaVersion: 2.1.0
root:
  dag:
    tasks:
      make: {componentRef: {name: comp-make}}
      train:
        componentRef: {name: comp-dag}
        dependentTasks: [make]
        inputs: {parameters: {x: {taskOutputParameter: {producerTask: make, outputParameterKey: out}}}}
        triggerPolicy: {condition: "inputs.parameter_values['x'] == 'a'"}
      each:
        componentRef: {name: comp-dag}
        parameterIterator: {items: {raw: '["a"]'}, itemInput: x}
        iteratorPolicy: {parallelismLimit: 2}
      exit:
        componentRef: {name: comp-make}
        dependentTasks: [train]
        triggerPolicy: {strategy: ALL_UPSTREAM_TASKS_COMPLETED}
        inputs: {parameters: {s: {taskFinalStatus: {producerTask: train}}, n: {runtimeValue: {constant: null}}}}
components:
  comp-make: {executorLabel: exec, outputDefinitions: {parameters: {out: {parameterType: STRING}}}}
  comp-dag:
    inputDefinitions: {parameters: {x: {parameterType: STRING}}}
    dag: {tasks: {inner: {componentRef: {name: comp-make}}}}
deploymentSpec: {executors: {exec: {container: {image: i, novel: 1}}}}
`;
const platform = "platforms: {kubernetes: {deploymentSpec: {executors: {exec: {imagePullPolicy: Always}}}}}";

test("reads a pipeline of steps, a condition, a loop and an exit handler", () => {
  const { pipelineSpec, platformSpec } = parsePipeline(`${good}---\n${platform}\n`);
  expect(Object.keys(pipelineSpec.root.dag?.tasks ?? {})).toEqual(["make", "train", "each", "exit"]);
  expect(pipelineSpec.deploymentSpec?.executors?.["exec"]?.container).toEqual({ image: "i" });
  expect(pipelineSpec.root.dag?.tasks?.["exit"]?.inputs?.parameters?.["n"]?.runtimeValue).toEqual({ constant: null });
  expect(platformSpec?.platforms.kubernetes.deploymentSpec?.executors?.["exec"]?.imagePullPolicy).toBe("Always");
  expect(parsePipelineObject({ pipeline_spec: pipelineSpec, platform_spec: platformSpec })).toEqual({ pipelineSpec, platformSpec });
  expect(parsePipeline(JSON.stringify(pipelineSpec))).toEqual({ pipelineSpec });
});

const bad: [find: string, put: string, message: string][] = [
  [
    "taskOutputParameter: {producerTask: make, outputParameterKey: out}",
    "componentInputParm: y",
    'pipeline spec: root.dag.tasks.train.inputs.parameters.x: unknown field "componentInputParm" (did you mean "componentInputParameter"?)',
  ],
  ["schemaVersion: 2.1.0", "schemaVersion: 2.0.0", 'schemaVersion: "2.0.0" is not one of 2.1.0'],
  ["{name: two-step}", "{}", "pipelineInfo.name: is required"],
  ["{name: two-step}", "{name: ABC}", "pipelineInfo.name: "],
  ["root:", "roof:", 'unknown field "roof" (did you mean "root"?)'],
  ["make: {componentRef: {name: comp-make}}", "make: {componentRef: {name: gone}}", 'root.dag.tasks.make.componentRef.name: no component "gone"'],
  ["executorLabel: exec", "executorLabel: gone", 'components.comp-make.executorLabel: no executor "gone"'],
  ["dependentTasks: [make]", "dependentTasks: [inner]", 'root.dag.tasks.train.dependentTasks[0]: no task "inner"'],
  ["dependentTasks: [make]", "dependentTasks: [exit]", "tasks wait for each other: train -> exit -> train"],
  ["producerTask: make", "producerTask: gone", 'no task "gone"'],
  ["outputParameterKey: out", "outputParameterKey: gone", 'has no output parameter "gone"'],
  ["{out: {parameterType: STRING}}", "{out: {parameterType: TEXT}}", '"TEXT" is not one of'],
  ["{constant: null}", "{constant: 1, runtimeParameter: p}", "exactly one of constant, constantValue, runtimeParameter"],
  ["{raw: '[\"a\"]'}", "{}", "root.dag.tasks.each.parameterIterator.items: exactly one of raw, inputParameter"],
  ["parallelismLimit: 2", "parallelismLimit: 1.5", "must be an integer"],
  ["{inner: {componentRef: {name: comp-make}}}", "{inner: {componentRef: {name: comp-dag}}}", "contains itself: comp-dag -> comp-dag"],
  ["{container: {image: i, novel: 1}}", "{}", "exactly one of container, importer must be set"],
  ["root:", "root: [", "not valid YAML"],
];

test.each(bad)("refuses %s -> %s", (find, put, message) => {
  expect(good).toContain(find);
  const read = (): unknown => parsePipeline(good.replace(find, put));
  expect(read).toThrow(UserError);
  expect(read).toThrow(message);
});

test("refuses a wrong number of documents and a platform that is not Kubernetes", () => {
  expect(() => parsePipeline("")).toThrow("found 0");
  expect(() => parsePipeline(`${good}---${good}`)).toThrow("found 2");
  expect(() => parsePipeline(`${good}---\nplatforms: {}\n`)).toThrow("platform spec: platforms.kubernetes: is required");
});

test("an int64 stays as it is written", () => {
  const accelerated = good.replace("image: i", 'image: i, resources: {accelerator: {type: nvidia.com/gpu, count: "1"}}');
  const { container } = parsePipeline(accelerated).pipelineSpec.deploymentSpec?.executors?.["exec"] ?? {};
  expect(container?.resources?.accelerator).toEqual({ type: "nvidia.com/gpu", count: "1" });
  expect(() => parsePipeline(accelerated.replace('"1"', "one"))).toThrow("must be an integer");
});
