import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import {
  collect,
  compare,
  compile,
  component,
  container,
  dataset,
  field,
  finalStatus,
  forEach,
  inputValue,
  list,
  model,
  number,
  onExit,
  otherwise,
  outputPath,
  pipeline,
  string,
  when,
} from "./index.ts";

const prepare = container({
  name: "prepare",
  image: "busybox",
  command: ["cp", inputValue("from"), outputPath("data")],
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
  run: ({ inputs }) => console.log(inputs.scores),
});
const notify = component({
  name: "notify",
  inputs: { status: finalStatus() },
  outputs: {},
  run: ({ inputs }) => console.log(inputs.status.state),
});

test("wires tasks, options and defaults", () => {
  const ir = parse(
    compile(
      pipeline({ name: "plain", inputs: { lr: number({ default: 0.1 }) } }, ({ lr }) => {
        const prepared = prepare({ from: "/in" });
        train(
          { lr, data: prepared.outputs.data },
          { cache: false, retry: 2, resources: { cpu: "1" }, displayName: "Train" },
        );
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
          let scores;
          forEach(
            lrs,
            (lr) => {
              const { accuracy } = train({ lr, data }).outputs;
              scores = collect(accuracy);
              when(compare(accuracy, ">", 1), () => {
                best({ scores: [1] });
              });
              otherwise(() => {
                best({ scores: [0] });
              });
            },
            { parallelism: 2 },
          );
          if (scores !== undefined) best({ scores });
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
  expect(
    ir.components["comp-for-loop-1"].dag.outputs.parameters["pipelinechannel--train-accuracy"]
      .valueFromParameter.producerSubtask,
  ).toBe("train");
  const text = "inputs.parameter_values['pipelinechannel--train-accuracy'] > 1.0";
  expect(
    ir.components["comp-condition-branches-1"].dag.tasks["condition-1"].triggerPolicy.condition,
  ).toBe(text);
  expect(
    ir.components["comp-condition-branches-1"].dag.tasks["condition-2"].triggerPolicy.condition,
  ).toBe(`!(${text})`);
});

test("misuse is explained", () => {
  expect(() => prepare({ from: "x" })).toThrow("outside a pipeline");
  expect(() => pipeline({ name: "Bad Name", inputs: {} }, () => {})).toThrow("not a valid name");
  expect(() =>
    compile(
      pipeline({ name: "leak", inputs: {} }, () => {
        const { data } = prepare({ from: "x" }).outputs;
        let out: ReturnType<typeof train> | undefined;
        forEach([1, 2], (lr) => {
          out = train({ lr, data });
        });
        if (out !== undefined) train({ lr: out.outputs.accuracy, data });
      }),
    ),
  ).toThrow("outside the loop");
  expect(() => pipeline({ name: "else", inputs: {} }, () => otherwise(() => {}))).toThrow(
    "does not follow",
  );
});

test("node runs the embedded function", () => {
  const root = mkdtempSync(join(tmpdir(), "sluice-sdk-"));
  try {
    const file = join(root, "out", "executor_output.json");
    const input = {
      inputs: {
        parameterValues: { lr: 0.25 },
        artifacts: { data: { artifacts: [{ name: "data", uri: "minio://b/data" }] } },
      },
      outputs: {
        parameters: { accuracy: { outputFile: join(root, "accuracy") } },
        artifacts: { model: { artifacts: [{ name: "model", uri: "minio://b/run/model" }] } },
        outputFile: file,
      },
    };
    const [, ...args] = train.definition.command;
    execFileSync(process.execPath, [...args, JSON.stringify(input)], {
      env: { ...process.env, SLUICE_ARTIFACT_ROOT: root },
    });
    expect(readFileSync(join(root, "minio/b/run/model"), "utf8")).toBe("$$ 0.25");
    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
      parameterValues: { accuracy: 0.5 },
      artifacts: {
        model: {
          artifacts: [{ name: "model", uri: "minio://b/run/model", metadata: { lr: 0.25 } }],
        },
      },
    });
  } finally {
    rmSync(root, { recursive: true });
  }
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
  expect(
    loop.dag.tasks["condition-1"].inputs.parameters["pipelinechannel--loop-item-param-1-subvar-lr"],
  ).toEqual({
    componentInputParameter: "pipelinechannel--loop-item-param-1",
    parameterExpressionSelector: 'parseJson(string_value)["lr"]',
  });
  expect(
    ir.components["comp-condition-1"].dag.tasks.train.inputs.parameters.lr
      .parameterExpressionSelector,
  ).toBe('parseJson(string_value)["lr"]');
});
