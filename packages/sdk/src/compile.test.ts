import { expect, test } from "vitest";
import { parse } from "yaml";
import {
  all,
  artifacts,
  collect,
  compare,
  compile,
  component,
  container,
  dataset,
  field,
  finalStatus,
  forEach,
  list,
  model,
  number,
  oneOf,
  onExit,
  otherwise,
  pipeline,
  string,
  when,
} from "./index.ts";

const prepare = container({
  name: "prepare",
  image: "busybox",
  command: ({ inputs, outputs }) => ["cp", inputs.from, outputs.data.path],
  inputs: { from: string() },
  outputs: { data: dataset() },
});
const train = component({
  name: "train",
  inputs: { lr: number(), data: dataset() },
  outputs: { model: model(), accuracy: number() },
  run: async ({ inputs, outputs }) => {
    const { writeFileSync } = process.getBuiltinModule("node:fs");
    writeFileSync(outputs.model.path, `$$ ${inputs.lr}`);
    outputs.model.metadata["lr"] = inputs.lr;
    return { accuracy: inputs.lr * 2 };
  },
});
const best = component({
  name: "best",
  inputs: { scores: list(number()) },
  outputs: {},
  run: ({ inputs }) => inputs.scores,
});
const notify = component({
  name: "notify",
  inputs: { status: finalStatus() },
  outputs: {},
  run: ({ inputs }) => inputs.status.state,
});

test("wires tasks, options and defaults", () => {
  const ir = parse(
    compile(
      pipeline({ name: "plain", inputs: { lr: number({ default: 0.1 }) } }, ({ lr }) => {
        const prepared = prepare({ from: "/in" });
        train({ lr, data: prepared.outputs.data }, { cache: false, retry: 2, resources: { cpu: "1" }, displayName: "Train" });
      }),
    ),
  );
  expect(ir.schemaVersion).toBe("2.1.0");
  expect(ir.root.inputDefinitions.parameters.lr).toEqual({
    parameterType: "NUMBER_DOUBLE",
    defaultValue: 0.1,
    isOptional: true,
  });
  expect(ir.root.dag.tasks.train).toMatchObject({
    taskInfo: { name: "Train" },
    cachingOptions: {},
    dependentTasks: ["prepare"],
    retryPolicy: { maxRetryCount: 2 },
    inputs: {
      parameters: { lr: { componentInputParameter: "lr" } },
      artifacts: {
        data: { taskOutputArtifact: { producerTask: "prepare", outputArtifactKey: "data" } },
      },
    },
  });
  expect(ir.deploymentSpec.executors["exec-train"].container.resources).toEqual({
    resourceCpuLimit: "1",
  });
});

test("blocks become components and values cross them", () => {
  const ir = parse(
    compile(
      pipeline({ name: "blocks", inputs: { lrs: list(number()) } }, ({ lrs }) => {
        onExit(notify({}), () => {
          const { data } = prepare({ from: "/in" }).outputs;
          const accuracies = forEach(
            lrs,
            (lr) => {
              const { accuracy } = train({ lr, data }).outputs;
              when(compare(accuracy, ">", 1), () => {
                best({ scores: [1] });
              });
              otherwise(() => {
                best({ scores: [0] });
              });
              return accuracy;
            },
            { parallelism: 2 },
          );
          best({ scores: collect(accuracies) });
        });
      }),
    ),
  );
  expect(ir.root.dag.tasks.notify).toMatchObject({
    dependentTasks: ["exit-handler-1"],
    triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" },
    inputs: { parameters: { status: { taskFinalStatus: { producerTask: "exit-handler-1" } } } },
  });
  const body = ir.components["comp-exit-handler-1"];
  expect(body.dag.tasks["for-loop-1"]).toMatchObject({
    dependentTasks: ["prepare"],
    iteratorPolicy: { parallelismLimit: 2 },
    parameterIterator: {
      itemInput: "pipelinechannel--lrs-loop-item",
      items: { inputParameter: "pipelinechannel--lrs" },
    },
  });
  expect(body.dag.tasks["best-3"].inputs.parameters.scores).toEqual({
    taskOutputParameter: {
      producerTask: "for-loop-1",
      outputParameterKey: "pipelinechannel--train-accuracy",
    },
  });
  expect(ir.components["comp-for-loop-1"].dag.outputs.parameters["pipelinechannel--train-accuracy"].valueFromParameter.producerSubtask).toBe("train");
  const text = "inputs.parameter_values['pipelinechannel--train-accuracy'] > 1.0";
  expect(ir.components["comp-condition-branches-1"].dag.tasks["condition-1"].triggerPolicy.condition).toBe(text);
  expect(ir.components["comp-condition-branches-1"].dag.tasks["condition-2"].triggerPolicy.condition).toBe(`!(${text})`);
});

test("misuse is explained", () => {
  expect(() => prepare({ from: "x" })).toThrow("outside a pipeline");
  expect(() => pipeline({ name: "Bad Name", inputs: {} }, () => {})).toThrow("not a valid name");
  expect(() =>
    compile(
      pipeline({ name: "leak", inputs: {} }, () => {
        const { data } = prepare({ from: "x" }).outputs;
        const trained = forEach([1, 2], (lr) => train({ lr, data }));
        train({ lr: trained.outputs.accuracy, data });
      }),
    ),
  ).toThrow("outside the loop");
  expect(() => pipeline({ name: "else", inputs: {} }, () => otherwise(() => {}))).toThrow("does not follow");
});

test("the types refuse what the compiler would", () => {
  expect(() =>
    pipeline({ name: "typed", inputs: { text: string() } }, ({ text }) => {
      const prepared = prepare({ from: text });
      // @ts-expect-error a string is not a number
      train({ lr: text, data: prepared.outputs.data });
    }),
  ).toThrow('input "lr" takes NUMBER_DOUBLE, not STRING');
  expect(() =>
    pipeline({ name: "typed", inputs: {} }, () => {
      // @ts-expect-error an input is missing
      prepare({});
    }),
  ).toThrow('input "from" is missing');
});

test("a struct item's fields are selected where they are used", () => {
  const ir = parse(
    compile(
      pipeline({ name: "fields", inputs: {} }, () => {
        const { data } = prepare({ from: "x" }).outputs;
        forEach([{ lr: 1 }, { lr: 2 }], (item) => {
          when(compare(field(item, "lr", number()), ">", 1), () => {
            train({ lr: field(item, "lr", number()), data });
          });
        });
      }),
    ),
  );
  const loop = ir.components["comp-for-loop-1"];
  expect(ir.root.dag.tasks["for-loop-1"].parameterIterator).toEqual({
    itemInput: "pipelinechannel--loop-item-param-1",
    items: { raw: '[{"lr":1},{"lr":2}]' },
  });
  expect(loop.inputDefinitions.parameters["pipelinechannel--loop-item-param-1"]).toEqual({
    parameterType: "STRUCT",
  });
  expect(loop.dag.tasks["condition-1"].inputs.parameters["pipelinechannel--loop-item-param-1-subvar-lr"]).toEqual({
    componentInputParameter: "pipelinechannel--loop-item-param-1",
    parameterExpressionSelector: 'parseJson(string_value)["lr"]',
  });
  expect(ir.components["comp-condition-1"].dag.tasks.train.inputs.parameters.lr.parameterExpressionSelector).toBe('parseJson(string_value)["lr"]');
});

const pick = component({
  name: "pick",
  inputs: { models: artifacts(model()), scores: list(number()) },
  outputs: { model: model() },
  run: () => undefined,
});

test("what a loop collects is a list, and nested loops give one", () => {
  const ir = parse(
    compile(
      pipeline({ name: "lists", inputs: {} }, () => {
        const { data } = prepare({ from: "x" }).outputs;
        const trained = forEach([1, 2], () => forEach([3, 4], (lr) => train({ lr, data })));
        const { outputs } = pick({ models: collect(trained.outputs.model), scores: collect(trained.outputs.accuracy) });
        return { best: outputs.model, scores: collect(trained.outputs.accuracy) };
      }),
    ),
  );
  for (const loop of ["comp-for-loop-1", "comp-for-loop-2"]) {
    const { parameters, artifacts: models } = ir.components[loop].outputDefinitions;
    expect(parameters["pipelinechannel--train-accuracy"]).toEqual({ parameterType: "LIST" });
    expect(models["pipelinechannel--train-model"].isArtifactList).toBe(true);
  }
  expect(ir.root.outputDefinitions.artifacts.best).toEqual({ artifactType: { schemaTitle: "system.Model", schemaVersion: "0.0.1" } });
  expect(ir.root.dag.outputs).toEqual({
    artifacts: { best: { artifactSelectors: [{ producerSubtask: "pick", outputArtifactKey: "model" }] } },
    parameters: { scores: { valueFromParameter: { producerSubtask: "for-loop-1", outputParameterKey: "pipelinechannel--train-accuracy" } } },
  });
});

test("oneOf joins branches as the Python SDK does", () => {
  const ir = parse(
    compile(
      pipeline({ name: "joined", inputs: { n: number() } }, ({ n }) => {
        const { data } = prepare({ from: "x" }).outputs;
        const high = when(all(compare(n, ">", 3), compare(n, "<", 9)), () => train({ lr: n, data }).outputs.model);
        const middle = otherwise(compare(n, ">", 2), () => train({ lr: n, data }).outputs.model);
        const low = otherwise(() => train({ lr: 0, data }).outputs.model, { name: "low" });
        return { model: oneOf(high, middle, low) };
      }),
    ),
  );
  const branches = ir.components["comp-condition-branches-1"];
  const name = "pipelinechannel--condition-branches-1-oneof-1";
  expect(branches.outputDefinitions.artifacts[name].artifactType.schemaTitle).toBe("system.Model");
  expect(branches.dag.outputs.artifacts[name].artifactSelectors).toEqual([
    { producerSubtask: "condition-1", outputArtifactKey: "pipelinechannel--train-model" },
    { producerSubtask: "condition-2", outputArtifactKey: "pipelinechannel--train-2-model" },
    { producerSubtask: "condition-3", outputArtifactKey: "pipelinechannel--train-3-model" },
  ]);
  const n = "inputs.parameter_values['pipelinechannel--n']";
  const conditions = ["condition-1", "condition-2", "condition-3"].map((key) => branches.dag.tasks[key].triggerPolicy.condition);
  expect(branches.dag.tasks["condition-3"].taskInfo.name).toBe("low");
  expect(conditions).toEqual([
    `${n} > 3.0 && ${n} < 9.0`,
    `!(${n} > 3.0 && ${n} < 9.0) && ${n} > 2.0`,
    `!(${n} > 3.0 && ${n} < 9.0) && !(${n} > 2.0)`,
  ]);
});

test.each([
  [
    "without an otherwise() there may be no value",
    () => oneOf(when(compare(accuracy(), ">", 0), () => prepare({ from: "a" }).outputs.data)),
    "what a when() and its otherwise() return",
  ],
  [
    "every branch gives one",
    () => {
      const some = when(compare(accuracy(), ">", 0), () => prepare({ from: "a" }).outputs.data);
      otherwise(() => prepare({ from: "b" }));
      oneOf(some);
    },
    "one value from every branch",
  ],
  ["a value outside conditions needs none", () => oneOf(prepare({ from: "a" }).outputs.data), "when() and its otherwise()"],
  [
    "a branch's value leaves it in no other way",
    () => train({ lr: 1, data: when(compare(accuracy(), ">", 0), () => prepare({ from: "a" }).outputs.data) }),
    "outside the condition it is in",
  ],
])("%s", (_, body, message) => {
  expect(() =>
    compile(
      pipeline({ name: "wrong", inputs: {} }, () => {
        body();
      }),
    ),
  ).toThrow(message);
});

function accuracy(): ReturnType<typeof train>["outputs"]["accuracy"] {
  return train({ lr: 1, data: prepare({ from: "x" }).outputs.data }).outputs.accuracy;
}

test("two values never share a name", () => {
  const ir = parse(
    compile(
      pipeline({ name: "names", inputs: { lrs: list(number()) } }, ({ lrs }) => {
        const { data } = prepare({ from: "x" }).outputs;
        forEach(lrs, (outer) => forEach(lrs, (inner) => [train({ lr: outer, data }), train({ lr: inner, data })]));
      }),
    ),
  );
  const { tasks } = ir.components["comp-for-loop-2"].dag;
  expect(tasks.train.inputs.parameters.lr).not.toEqual(tasks["train-2"].inputs.parameters.lr);
});
