import { expect, test } from "vitest";
import { parsePipeline } from "../domain/ir-parse.ts";
import { type Outcome, World } from "./engine-world.fixture.ts";
import { checkEdit, type TaskRecord } from "./index.ts";
import { gives, ir, takes } from "./small-ir.fixture.ts";

const RUNS = (name: string): { componentRef: { name: string } } => ({ componentRef: { name } });
const ANYWAY = { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } as const;
const STATUS = { inputs: { parameters: { status: { taskFinalStatus: { producerTask: "body" } } } } };

function exitPipeline(kubernetes?: object): string {
  return ir(
    {
      body: RUNS("comp-exit-handler-1"),
      notify: { ...RUNS("comp-notify"), ...STATUS, dependentTasks: ["body"], triggerPolicy: ANYWAY },
      after: { ...RUNS("comp-work"), dependentTasks: ["body"] },
    },
    {
      "comp-work": {},
      "comp-notify": takes({ status: "TASK_FINAL_STATUS" }),
      "comp-exit-handler-1": { dag: { tasks: { work: RUNS("comp-work"), more: { ...RUNS("comp-work"), dependentTasks: ["work"] } } } },
    },
    kubernetes === undefined ? {} : { kubernetes },
  );
}
const hanging =
  (...names: readonly string[]) =>
  ({ name }: TaskRecord): Outcome => ({ succeeded: true, hangs: names.includes(name) });

test("terminate stops the body, and then the exit task runs and is told", () => {
  const world = new World(exitPipeline(), hanging("work")).finish();
  world.send({ type: "terminateRequested", time: world.time });
  expect(world.started).toEqual(["root.body.work"]);
  world.drain();
  expect(world.started).toEqual(["root.body.work", "root.notify"]);
  expect(world.states()).toEqual({ root: "CANCELED", "root.body": "CANCELED", "root.body.work": "CANCELED", "root.notify": "SUCCEEDED" });
  expect(world.task("root.notify").inputs.parameters["status"]).toMatchObject({
    state: "CANCELED",
    pipelineTaskName: "body",
    error: { code: 1, message: "the run was stopped" },
  });
  expect(world.run.progress).toMatchObject({ phase: "CANCELED", stopping: "terminated" });
});

test("a second terminate stops exit tasks too", () => {
  const world = new World(exitPipeline(), hanging("work", "notify")).finish();
  world.send({ type: "terminateRequested", time: world.time });
  world.drain();
  expect(world.run.progress.phase).toBe("CANCELING");
  expect(world.task("root.notify").step).toBe("pod");
  world.send({ type: "terminateRequested", time: world.time });
  world.drain();
  expect(world.run.progress.phase).toBe("CANCELED");
  expect(world.task("root.notify").state).toBe("CANCELED");
});

test("an exit task that runs already goes on when the run is terminated, and what was to follow does not start", () => {
  const world = new World(exitPipeline(), hanging("notify", "after")).finish();
  expect(world.started.slice(-2).toSorted()).toEqual(["root.after", "root.notify"]);
  world.send({ type: "terminateRequested", time: world.time });
  world.drain();
  expect(world.task("root.after").state).toBe("CANCELED");
  expect(world.run.progress.phase).toBe("CANCELING");
  world.finishPod(world.task("root.notify").id, 0);
  expect(world.run.progress.phase).toBe("CANCELED");
  expect(world.task("root.notify").state).toBe("SUCCEEDED");
});

test("a run timeout lets exit tasks run, for as long again", () => {
  const yaml = exitPipeline({ pipelineConfig: { activeDeadlineSeconds: 60 } });
  const world = new World(yaml, hanging("work", "notify")).finish();
  expect(world.run.progress).toMatchObject({ phase: "FAILED", message: expect.stringContaining("deadline"), stopping: "deadline", isForced: true });
  expect(world.started).toEqual(["root.body.work", "root.notify"]);
  expect(world.run.progress.endedAt).toBeGreaterThanOrEqual(1000 + 120_000);
});

test("a terminated run that has not begun its body has nothing to clean up", () => {
  const yaml = exitPipeline().replace(
    '"body":{"componentRef"',
    '"first":{"componentRef":{"name":"comp-work"}},"body":{"dependentTasks":["first"],"componentRef"',
  );
  const world = new World(yaml, hanging("first")).finish();
  world.send({ type: "terminateRequested", time: world.time });
  world.drain();
  expect(world.states()).toEqual({ root: "CANCELED", "root.first": "CANCELED" });
});

const chain = (code: string, more: object = {}): string =>
  ir(
    {
      make: RUNS("comp-make"),
      use: { ...RUNS("comp-use"), inputs: { parameters: { x: { taskOutputParameter: { producerTask: "make", outputParameterKey: "out" } } } } },
      other: RUNS("comp-work"),
      ...more,
    },
    { "comp-make": gives({ out: "STRING" }), "comp-work": {}, "comp-use": { ...takes({ x: "STRING" }), executorLabel: "use" } },
    { executors: { use: { container: { image: "i", command: [code] } } } },
  );
const fails =
  (...names: readonly string[]) =>
  ({ name }: TaskRecord): Outcome => ({ succeeded: !names.includes(name), parameters: { out: "o" } });

test("a failed run goes on as an edited pipeline, and keeps what means the same", () => {
  const world = new World(chain("broken"), ({ name, attempt }) => ({ succeeded: name !== "use" || attempt > 0, parameters: { out: "o" } })).finish();
  expect(world.run.progress.phase).toBe("FAILED");
  const { pipelineSpec: spec } = parsePipeline(chain("mended", { extra: { ...RUNS("comp-work"), dependentTasks: ["use"] } }));
  checkEdit(world.run, { spec });
  world.started.length = 0;
  world.send({ type: "retryRequested", time: world.time, spec });
  world.drain();
  expect(world.started).toEqual(["root.use", "root.extra"]);
  expect(world.pods.find(({ attempt }) => attempt === 1)?.pod.spec.containers[0]?.command).toEqual(["mended"]);
  expect(world.run.progress.phase).toBe("SUCCEEDED");
});

test("what is edited runs again though it had succeeded, and so does what follows it", () => {
  const world = new World(chain("v1"), fails("other")).finish();
  const { pipelineSpec: spec } = parsePipeline(chain("v1").replace('"comp-make":{"executorLabel":"run"', '"comp-make":{"executorLabel":"use"'));
  world.started.length = 0;
  world.send({ type: "retryRequested", time: world.time, spec });
  world.drain();
  expect(world.started.toSorted()).toEqual(["root.make", "root.other", "root.use"]);
});

test("an edited pipeline that does not fit the run is refused by what does not fit", () => {
  const world = new World(chain("v1"), fails("use")).finish();
  const check = (text: string): void => checkEdit(world.run, { spec: parsePipeline(text).pipelineSpec });
  expect(() => check(chain("v2").replaceAll('"other"', '"renamed"'))).toThrow(
    "the run has reached root.other, which the edited pipeline does not have",
  );
  expect(() => check(chain("v2").replace('"small"', '"different"'))).toThrow('the run is of pipeline "small", the edited one is "different"');
  const loop = { ...RUNS("comp-work"), parameterIterator: { items: { raw: "[1]" }, itemInput: "x" } };
  expect(() => check(chain("v2", { other: loop }))).toThrow("as a single task, but in the edited pipeline it is a loop over one task");
  expect(() => check(chain("v2", { another: RUNS("comp-work") }))).not.toThrow();
});

test("a retry that reaches less than the try before leaves the rest out", () => {
  let items = "[1,2,3]";
  const yaml = ir(
    {
      list: { ...RUNS("comp-list") },
      loop: {
        ...RUNS("comp-use"),
        inputs: { parameters: { xs: { taskOutputParameter: { producerTask: "list", outputParameterKey: "xs" } } } },
        triggerPolicy: ANYWAY,
        parameterIterator: { items: { inputParameter: "xs" }, itemInput: "x" },
      },
    },
    { "comp-list": gives({ xs: "STRING" }), "comp-use": takes({ xs: "STRING", x: { parameterType: "STRING", isOptional: true } }) },
  );
  const world = new World(yaml, ({ name, iteration }) => ({
    succeeded: name === "list" || iteration !== 0 || items === "[1]",
    parameters: { xs: items },
  })).finish();
  expect(world.run.progress.phase).toBe("FAILED");
  items = "[1]";
  const { pipelineSpec: spec } = parsePipeline(
    yaml
      .replace('"comp-list":{"executorLabel":"run"', '"comp-list":{"executorLabel":"again"')
      .replace('"executors":{', '"executors":{"again":{"container":{"image":"j"}},'),
  );
  world.send({ type: "retryRequested", time: world.time, spec });
  world.drain();
  expect(world.run.progress.phase).toBe("SUCCEEDED");
  expect(world.states()).toMatchObject({ "root.loop.0": "SUCCEEDED", "root.loop.1": "SKIPPED", "root.loop.2": "SKIPPED" });
});
