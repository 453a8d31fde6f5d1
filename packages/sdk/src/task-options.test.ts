import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  compare,
  compile,
  container,
  dataset,
  finalStatus,
  forEach,
  importer,
  integer,
  literal,
  model,
  number,
  onExit,
  optional,
  pipeline,
  string,
  text,
  when,
  type PipelineOutputs,
  type TaskOptions,
} from "./index.ts";

const step = container({ name: "step", image: "x", inputs: { n: optional(number()) }, outputs: { n: number(), text: string() } });
const needs = container({ name: "needs", image: "x", inputs: { n: number() }, outputs: {} });
const leave = container({ name: "leave", image: "x", inputs: { status: finalStatus() }, outputs: {} });

interface Task {
  readonly dependentTasks?: readonly string[];
  readonly triggerPolicy?: unknown;
  readonly inputs?: unknown;
  readonly componentRef: { readonly name: string };
}
interface Graph {
  readonly dag: { readonly tasks: Readonly<Record<string, Task>> };
}
interface Compiled {
  readonly tasks: Readonly<Record<string, Task>>;
  readonly components: Readonly<Record<string, Graph>>;
  readonly executors: Readonly<Record<string, { readonly container: object }>>;
  readonly kubernetes: { readonly deploymentSpec: { readonly executors: Readonly<Record<string, unknown>> } } | undefined;
}

function compiled(body: () => PipelineOutputs | void): Compiled {
  const documents: unknown[] = parseAllDocuments(compile(pipeline({ name: "p", inputs: {} }, body))).map((document) => document.toJS() as unknown);
  const spec = documents[0] as { root: Graph; components: Compiled["components"]; deploymentSpec: { executors: Compiled["executors"] } };
  const platform = documents[1] as { platforms: { kubernetes: Compiled["kubernetes"] } } | undefined;
  const { root, components, deploymentSpec } = spec;
  return { tasks: root.dag.tasks, components, executors: deploymentSpec.executors, kubernetes: platform?.platforms.kubernetes };
}

test("tasks that run alike share a component, others do not", () => {
  const { tasks, kubernetes } = compiled(() => {
    step({});
    step({}, { displayName: "Same", cache: false, retry: 1 });
    step({}, { env: { A: "b" } });
    step({}, { timeoutSeconds: 5 });
  });
  expect(Object.values(tasks).map(({ componentRef }) => componentRef.name)).toEqual(["comp-step", "comp-step", "comp-step-2", "comp-step-3"]);
  expect(kubernetes).toEqual({ deploymentSpec: { executors: { "exec-step-3": { activeDeadlineSeconds: "5" } } } });
});

test("what Python's package has no function for is written as servers read it", () => {
  const { kubernetes } = compiled(() => {
    step(
      {},
      {
        kubernetes: {
          sharedMemory: { size: "1Gi" },
          podAffinity: [{ matchPodLabels: { app: "db" }, topologyKey: "zone", anti: true }],
          initContainers: [{ name: "prepare", image: "busybox", command: ["true"] }],
        },
      },
    );
  });
  expect(kubernetes?.deploymentSpec.executors["exec-step"]).toEqual({
    enabledSharedMemory: { volumeName: "shm", size: "1Gi" },
    podAffinity: [{ matchPodLabels: { app: "db" }, topologyKey: "zone", anti: true }],
    initContainers: [{ name: "prepare", image: "busybox", command: ["true"] }],
  });
});

test("values that are known at run time come from where the task is", () => {
  const { components, executors } = compiled(() => {
    const made = step({}).outputs;
    when(compare(made.n, ">", 1), () => step({}, { image: text`image:${made.text}`, kubernetes: { imagePullSecrets: [made.text] } }));
  });
  expect(components["comp-condition-1"]?.dag.tasks["step-2"]?.inputs).toEqual({
    parameters: { "pipelinechannel--step-text": { componentInputParameter: "pipelinechannel--step-text" } },
  });
  expect(executors["exec-step-2"]?.container).toEqual({ image: "image:{{$.inputs.parameters['pipelinechannel--step-text']}}" });
});

test("after waits for tasks around the block, and for the whole of an onExit block", () => {
  const { tasks, components } = compiled(() => {
    const first = step({});
    forEach([1, 2], () => step({}, { after: [first] }));
    const inside = onExit(leave({}), () => step({}));
    step({}, { after: [inside, first], ignoreUpstreamFailure: true });
  });
  expect(tasks["for-loop-1"]?.dependentTasks).toEqual(["step"]);
  expect(components["comp-for-loop-1"]?.dag.tasks["step-2"]?.dependentTasks).toBeUndefined();
  expect(tasks["step-4"]).toMatchObject({
    dependentTasks: ["exit-handler-1", "step"],
    triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" },
  });
});

const inner = pipeline({ name: "inner", inputs: { n: number({ default: 1 }) } }, ({ n }) => {
  when(compare(n, ">", 0), () => step({}));
  return { n: step({ n }).outputs.n };
});

test("a pipeline is a task of another, with names of its own", () => {
  const { tasks, components } = compiled(() => {
    step({});
    needs({ n: inner({}, { displayName: "Inner" }).outputs.n });
    when(compare(inner({ n: 2 }).outputs.n, ">", 1), () => step({}));
  });
  expect(Object.keys(tasks)).toEqual(["step", "inner", "needs", "inner-2", "condition-1"]);
  expect(tasks["inner-2"]?.componentRef).toEqual(tasks["inner"]?.componentRef);
  expect(Object.keys(components["comp-inner"]?.dag.tasks ?? {})).toEqual(["condition-1", "step-2"]);
  expect(components["comp-inner"]?.dag.tasks["condition-1"]?.componentRef).not.toEqual(tasks["condition-1"]?.componentRef);
});

const trial = (options: TaskOptions) => (): void => void step({}, options);
test.each<[string, () => void, string]>([
  ["a retry", trial({ retry: -1 }), "retry must be a whole number"],
  ["a timeout", trial({ timeoutSeconds: 0 }), "timeoutSeconds must be a whole number"],
  ["a processor", trial({ resources: { cpu: "many" } }), 'cpu "many" is no quantity'],
  ["a memory", trial({ resources: { memoryRequest: "1 GB" } }), 'memoryRequest "1 GB" is no quantity'],
  ["a number of accelerators", trial({ resources: { accelerator: { type: "gpu", count: 0.5 } } }), "count must be a whole number"],
  ["an input that may be missing", () => needs({ n: step({}).outputs.n }, { ignoreUpstreamFailure: true }), 'input "n" takes what an earlier task'],
  [
    "waiting for a task in a loop",
    () => {
      const each = forEach([1], () => step({}));
      step({}, { after: [each] });
    },
    "which is in another block",
  ],
  [
    "waiting inside a block for its exit task",
    () => {
      const exit = leave({});
      onExit(exit, () => step({}, { after: [exit] }));
    },
    "which is in another block",
  ],
  // @ts-expect-error neither of the two
  ["a value that is not among the literals", () => literals({ kind: "c" }), 'takes one of ["a","b"], not "c"'],
  // @ts-expect-error a text is no number
  ["a text for a number", () => needs({ n: text`1` }), "takes NUMBER_DOUBLE, not a text"],
  ["an artifact of another type", () => takesModel({ it: importer({ uri: "gs://x", type: dataset() }).outputs.artifact }), "takes system.Model"],
])("%s is refused", (_, body, message) => {
  expect(() => compiled(body)).toThrow(message);
});
const literals = container({ name: "literals", image: "x", inputs: { kind: literal(["a", "b"]), n: optional(integer()) }, outputs: {} });
const takesModel = container({ name: "takes-model", image: "x", inputs: { it: model() }, outputs: {} });

test("a pipeline's settings are checked", () => {
  const made = (options: object) => () => pipeline({ name: "p", inputs: {}, ...options }, () => void step({}));
  expect(made({ workspace: { size: "big" } })).toThrow('size "big" is no quantity');
  expect(made({ ttlSecondsAfterFinished: 1.5 })).toThrow("ttlSecondsAfterFinished must be a whole number");
});
