import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonValue, TaskSpec } from "../domain/ir.ts";
import { type Outcome, World } from "./engine-world.fixture.ts";
import { runParameters, type TaskRecord } from "./index.ts";
import { gives, ir, takes } from "./small-ir.fixture.ts";

const runs = (name: string, more: Omit<TaskSpec, "componentRef"> = {}): TaskSpec => ({ componentRef: { name }, ...more });
const constant = (value: JsonValue) => ({ runtimeValue: { constant: value } });
const outputOf = (producerTask: string, outputParameterKey = "out") => ({ taskOutputParameter: { producerTask, outputParameterKey } });
const artifactOf = (producerTask: string, outputArtifactKey = "art") => ({ taskOutputArtifact: { producerTask, outputArtifactKey } });
const input = (name: string) => ({ componentInputParameter: name });
const gets = (parameters: NonNullable<TaskSpec["inputs"]>["parameters"], more: Omit<TaskSpec, "componentRef"> = {}) => ({
  inputs: { parameters: parameters ?? {} },
  ...more,
});
/** Every pod gives `out`, as told by its task's path. */
const out =
  (values: Readonly<Record<string, JsonValue>> = {}) =>
  ({ path, name }: TaskRecord): Outcome => {
    const value = values[path] ?? values[name] ?? `out of ${path}`;
    return value === "fails" ? { succeeded: false } : { succeeded: true, parameters: { out: value } };
  };
const given = (world: World, path: string): unknown => world.task(path).inputs.parameters;
const mainOf = (world: World, task: string) => world.pods.find(({ taskId }) => world.task(task).id === taskId)?.pod.spec.containers[0];

describe("parameters", () => {
  const one = (type: Parameters<typeof takes>[0][string], value: JsonValue): World =>
    new World(ir({ t: runs("c", gets({ p: constant(value) })) }, { c: takes({ p: type }) })).finish();

  test.each<[Parameters<typeof takes>[0][string], JsonValue, JsonValue]>([
    ["STRING", "x", "x"],
    ["STRING", 9, "9"],
    ["STRING", 1e21, "1000000000000000000000"],
    ["STRING", true, "true"],
    ["STRING", [1, "<a>"], '[1,"<a>"]'],
    ["STRING", { a: 1 }, '{"a":1}'],
    ["NUMBER_INTEGER", 3, 3],
    ["NUMBER_DOUBLE", 0.5, 0.5],
    ["BOOLEAN", false, false],
    ["LIST", [], []],
    ["STRUCT", {}, {}],
    [{ parameterType: "STRING", literals: ["a", "b"] }, "a", "a"],
    [{ type: "INT" }, 4, 4],
  ])("%j takes %j as %j", (type, value, expected) => {
    expect(given(one(type, value), "root.t")).toEqual({ p: expected });
  });

  test.each<[Parameters<typeof takes>[0][string], JsonValue, string]>([
    ["NUMBER_INTEGER", "3", "type mismatch: expected NUMBER_INTEGER, got STRING"],
    ["BOOLEAN", 1, "type mismatch: expected BOOLEAN, got NUMBER"],
    ["LIST", { a: 1 }, "type mismatch: expected LIST, got STRUCT"],
    ["STRUCT", [], "type mismatch: expected STRUCT, got LIST"],
    [{ parameterType: "STRING", literals: ["a", "b"] }, "c", 'must be one of "a", "b", got "c"'],
  ])("%j refuses %j", (type, value, message) => {
    expect(one(type, value).task("root.t")).toMatchObject({ state: "FAILED", message: expect.stringContaining(message) });
  });

  test("literals and types are checked of a run's parameters before there is a run", () => {
    const root = takes({ mode: { parameterType: "STRING", literals: ["fast", "slow"] }, n: { parameterType: "NUMBER_INTEGER", isOptional: true } });
    expect(runParameters(root, { mode: "fast" })).toEqual({ mode: "fast" });
    expect(() => runParameters(root, { mode: "other" })).toThrow('must be one of "fast", "slow"');
    expect(() => runParameters(root, {})).toThrow('"mode" has no value and no default');
    expect(() => runParameters(root, { mode: "slow", x: 1 })).toThrow('no input parameter "x"');
    expect(() => runParameters(root, { mode: "slow", n: "1" })).toThrow("type mismatch");
  });

  test("null is left out of an optional input, takes a default's place, and fails a required one", () => {
    const optional = { parameterType: "STRING", isOptional: true } as const;
    const defaulted = { parameterType: "STRING", defaultValue: "d" } as const;
    const root = { root: takes({ none: optional }) };
    const tasks = (type: Parameters<typeof takes>[0][string]): string =>
      ir({ t: runs("c", gets({ p: input("none") })) }, { c: takes({ p: type }) }, { ...root, args: ["[{{$.inputs.parameters['p']}}]"] });
    expect(mainOf(new World(tasks(optional)).finish(), "root.t")?.args).toEqual(["[]"]);
    const world = new World(tasks(defaulted)).finish();
    expect(mainOf(world, "root.t")?.args).toEqual(["[d]"]);
    expect(given(world, "root.t")).toEqual({});
    expect(new World(tasks("STRING")).finish().task("root.t").message).toContain('"none" has no value in root');
  });
});

describe("artifacts", () => {
  const make = gives({ out: "STRING" }, ["art"]);
  const loop = (items: string): TaskSpec => runs("graph", { parameterIterator: { items: { raw: items }, itemInput: "item" } });
  const graph = {
    ...takes({ item: "STRING" }),
    ...gives({ out: "STRING" }, ["art"]),
    dag: {
      tasks: { make: runs("make") },
      outputs: {
        parameters: { out: { valueFromParameter: { producerSubtask: "make", outputParameterKey: "out" } } },
        artifacts: { art: { artifactSelectors: [{ producerSubtask: "make", outputArtifactKey: "art" }] } },
      },
    },
  };
  const components = { make, graph, use: { ...takes({}, ["many"]), ...gives({ out: "STRING" }) } };

  test("a loop's artifacts are one list, of none for no items, and an iterator takes them one by one", () => {
    const tasks = (items: string) => ({
      loop: loop(items),
      all: runs("use", { inputs: { artifacts: { many: artifactOf("loop") } } }),
      each: runs("use", {
        inputs: { artifacts: { list: artifactOf("loop") } },
        artifactIterator: { items: { inputArtifact: "list" }, itemInput: "many" },
        iteratorPolicy: { parallelismLimit: 1 },
      }),
    });
    const world = new World(ir(tasks('["a","b"]'), components), out()).finish();
    expect(world.run.progress.phase).toBe("SUCCEEDED");
    const made = world.task("root.loop").outputs.artifacts["art"]?.map(({ uri }) => uri);
    expect(made).toHaveLength(2);
    expect(world.task("root.all").inputs.artifacts["many"]?.map(({ uri }) => uri)).toEqual(made);
    expect([0, 1].map((index) => world.task(`root.each.${index}`).inputs.artifacts["many"]?.map(({ uri }) => uri))).toEqual(
      made?.map((uri) => [uri]),
    );
    const empty = new World(ir(tasks("[]"), components), out()).finish();
    expect(empty.task("root.all").inputs.artifacts).toEqual({ many: [] });
    expect(empty.task("root.each")).toMatchObject({ state: "SUCCEEDED", iterationCount: 0, outputs: { parameters: { out: [] } } });
  });

  test("an importer takes its address from a task's output and its metadata from inputs, in loops and under conditions", () => {
    const importer = {
      artifactUri: { runtimeParameter: "uri" },
      typeSchema: { schemaTitle: "system.Model" },
      metadata: { "of {{$.inputs.parameters['uri']}}": ["{{$.pipeline_task_name}}"] },
    };
    const imports = { ...takes({ uri: "STRING" }), ...gives({}, ["art"]), executorLabel: "import" };
    const yaml = ir(
      {
        make: runs("make"),
        first: runs("imports", gets({ uri: outputOf("make") })),
        again: runs("imports", gets({ uri: outputOf("make") })),
        never: runs("imports", gets({ uri: outputOf("make") }, { triggerPolicy: { condition: "inputs.parameter_values['uri'] == ''" } })),
        each: runs("imports", gets({}, { parameterIterator: { items: { raw: '["s3://b/1","s3://b/2"]' }, itemInput: "uri" } })),
      },
      { make, imports },
      { executors: { import: { importer } } },
    );
    const world = new World(yaml, out({ make: "s3://b/made" })).finish();
    expect(world.run.progress.phase).toBe("SUCCEEDED");
    expect(world.task("root.first").outputs.artifacts["art"]).toMatchObject([
      { uri: "s3://b/made", type: { schemaTitle: "system.Model" }, metadata: { "of s3://b/made": ["first"] } },
    ]);
    expect(world.task("root.never").state).toBe("SKIPPED");
    expect(world.task("root.each").outputs.artifacts["art"]?.map(({ uri }) => uri)).toEqual(["s3://b/1", "s3://b/2"]);
    const empty = new World(yaml, out({ make: "" })).finish();
    expect(empty.task("root.first").message).toContain('input parameter "uri" must be a string that is not empty');
  });

  test("the same import is the same artifact, unless it is to be imported anew", () => {
    const imports = (executorLabel: string) => ({ ...gives({}, ["art"]), executorLabel });
    const importer = { artifactUri: { constant: "s3://b/x" } };
    const yaml = ir(
      { a: runs("old"), b: runs("old"), c: runs("anew"), d: runs("anew") },
      { old: imports("old"), anew: imports("anew") },
      { executors: { old: { importer }, anew: { importer: { ...importer, reimport: true } } } },
    );
    const world = new World(yaml).finish();
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => world.task(`root.${name}`).outputs.artifacts["art"]?.[0]?.id);
    expect(a).toBe(b);
    expect(new Set([a, c, d]).size).toBe(3);
  });
});

describe("graphs", () => {
  const leaf = { ...takes({ x: { parameterType: "STRING", isOptional: true } }), ...gives({ out: "STRING" }) };
  const oneOf = {
    ...takes({ item: "STRING" }),
    ...gives({ out: "STRING" }, ["art"]),
    dag: {
      tasks: {
        yes: runs("branch", gets({ item: input("item") }, { triggerPolicy: { condition: "inputs.parameter_values['item'] == 'a'" } })),
        no: runs("branch", gets({ item: input("item") }, { triggerPolicy: { condition: "!(inputs.parameter_values['item'] == 'a')" } })),
      },
      outputs: {
        parameters: {
          out: { valueFromOneof: { parameterSelectors: ["yes", "no"].map((producerSubtask) => ({ producerSubtask, outputParameterKey: "out" })) } },
        },
        artifacts: { art: { artifactSelectors: ["yes", "no"].map((producerSubtask) => ({ producerSubtask, outputArtifactKey: "art" })) } },
      },
    },
  };
  const branch = { ...takes({ item: "STRING" }), ...gives({ out: "STRING" }, ["art"]) };

  test("the branch that ran gives the parameter and the artifact, also in a loop", () => {
    const each = runs("comp-condition-branches-1", gets({}, { parameterIterator: { items: { raw: '["a","b"]' }, itemInput: "item" } }));
    const world = new World(ir({ each }, { "comp-condition-branches-1": oneOf, branch }), out()).finish();
    expect(world.task("root.each").outputs.parameters["out"]).toEqual(["out of root.each.0.yes", "out of root.each.1.no"]);
    const uris = world.task("root.each").outputs.artifacts["art"]?.map(({ uri }) => uri);
    expect(uris).toEqual([`minio://b/${world.task("root.each.0.yes").id}/art`, `minio://b/${world.task("root.each.1.no").id}/art`]);
  });

  test("an exit task runs once after a loop, however many exit tasks there are, and is told which iteration failed and why", () => {
    const status = (producerTask: string): TaskSpec =>
      runs("notify", {
        inputs: { parameters: { status: { taskFinalStatus: { producerTask } } } },
        dependentTasks: [producerTask],
        triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" },
      });
    const loop = runs("leaf", gets({}, { parameterIterator: { items: { raw: '["a","b","c"]' }, itemInput: "x" } }));
    const graph = { dag: { tasks: { work: runs("leaf"), then: runs("leaf", { dependentTasks: ["work"] }) } } };
    const yaml = ir(
      {
        loop,
        one: status("loop"),
        two: status("loop"),
        graph: runs("graph"),
        ofGraph: status("graph"),
        after: runs("leaf", { dependentTasks: ["graph"] }),
        ofSkipped: status("after"),
        good: runs("leaf"),
        ofGood: status("good"),
      },
      { leaf, graph, notify: takes({ status: "TASK_FINAL_STATUS" }) },
    );
    const world = new World(yaml, out({ "root.loop.1": "fails", "root.graph.work": "fails" })).finish();
    const told = (name: string): unknown => world.task(`root.${name}`).inputs.parameters["status"];
    const failed = { state: "FAILED", pipelineTaskName: "loop", error: { code: 2, message: expect.stringMatching(/iteration 1 failed: .*code 1/u) } };
    expect([told("one"), told("two")]).toMatchObject([failed, failed]);
    expect(told("ofGraph")).toMatchObject({ state: "FAILED", error: { message: expect.stringContaining('task "work" failed') } });
    expect(told("ofSkipped")).toMatchObject({ state: "CANCELED", error: { message: 'task "graph" before it is FAILED' } });
    expect(told("ofGood")).toMatchObject({ state: "COMPLETE", error: {} });
    expect(world.started.filter((path) => path === "root.one")).toHaveLength(1);
    expect(world.run.progress.phase).toBe("FAILED");
  });

  test("a task that ignores upstream failure runs on what there is", () => {
    const clean = runs("leaf", gets({ x: outputOf("work") }, { triggerPolicy: { strategy: "ALL_UPSTREAM_TASKS_COMPLETED" } }));
    const world = new World(ir({ work: runs("leaf"), clean }, { leaf }), out({ work: "fails" })).finish();
    expect(world.states()).toEqual({ root: "FAILED", "root.work": "FAILED", "root.clean": "SUCCEEDED" });
    expect(given(world, "root.clean")).toEqual({});
  });

  test("retries wait as their policy says, and a graph's policy holds for the tasks in it that have none", () => {
    const policy = { maxRetryCount: 3, backoffDuration: "10s", backoffFactor: 3, backoffMaxDuration: "60s" };
    const graph = { dag: { tasks: { inner: runs("leaf"), own: runs("leaf", { retryPolicy: { maxRetryCount: 1 } }) } } };
    const world = new World(ir({ graph: runs("graph", { retryPolicy: policy }) }, { graph, leaf }), ({ name, attempt }) => ({
      succeeded: name === "own" || attempt === 3,
      parameters: { out: "o" },
    })).finish();
    expect(world.task("root.graph.inner")).toMatchObject({ state: "SUCCEEDED", attempt: 3, retries: 3 });
    // 10 s, 30 s, and 60 s instead of 90.
    expect(Math.round((world.time - 1000) / 1000)).toBe(100);
    const indices = world.pods.filter(({ taskId }) => taskId === world.task("root.graph.inner").id);
    expect(indices.map(({ pod }) => pod.spec.containers[0]?.env?.find(({ name }) => name === "KFP_RETRY_INDEX")?.value)).toEqual([
      "0",
      "1",
      "2",
      "3",
    ]);
  });

  test("the limit of a loop holds, nested loops collect in order, and a task's timeout is its pod's", () => {
    const inner = {
      ...takes({ outer: "STRING" }),
      ...gives({ out: "LIST" }),
      dag: {
        tasks: {
          loop: runs("leaf", { parameterIterator: { items: { raw: '["x","y"]' }, itemInput: "x" }, iteratorPolicy: { parallelismLimit: 1 } }),
        },
        outputs: { parameters: { out: { valueFromParameter: { producerSubtask: "loop", outputParameterKey: "out" } } } },
      },
    };
    const yaml = ir(
      {
        nest: runs("inner", { parameterIterator: { items: { raw: '["a","b","c"]' }, itemInput: "outer" }, iteratorPolicy: { parallelismLimit: 2 } }),
        use: runs("all", gets({ list: outputOf("nest") })),
      },
      { inner, leaf, all: takes({ list: "LIST" }) },
      { kubernetes: { deploymentSpec: { executors: { run: { activeDeadlineSeconds: 30 } } } } },
    );
    const world = new World(yaml, out()).finish();
    expect(world.maxRunning).toBe(2);
    expect(given(world, "root.use")).toEqual({
      list: ["a", "b", "c"].map((_, i) => ["x", "y"].map((_item, j) => `out of root.nest.${i}.loop.${j}`)),
    });
    expect(world.pods[0]?.pod.spec.activeDeadlineSeconds).toBe(30);
  });

  test("a cache key of the author's own is all that decides", () => {
    const task = (key: string, x: string): TaskSpec =>
      runs("leaf", gets({ x: constant(x) }, { cachingOptions: { enableCache: true, cacheKey: key } }));
    const yaml = ir({ a: task("k", "1"), b: task("k", "2"), c: task("other", "1") }, { leaf });
    const keys = ["a", "b", "c"].map((name) => new World(yaml, out()).finish().task(`root.${name}`).fingerprint);
    expect(keys[0]).toBe(keys[1]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});

describe("containers", () => {
  /** What Kubernetes makes of an argument when no variable is set. */
  const expanded = (text = ""): string => text.replace(/\$(\$|\([^)]*\))/gu, (whole, next: string) => (next === "$" ? "$" : whole));

  test("a value reaches the container byte for byte, wherever its placeholder is", () => {
    const tricky = fc.constantFrom("$", "$$", "$(HOME)", "{{$}}", "{{$.inputs.parameters['v']}}", "\uE0D4", '"', "\\", "\n", "'", '{"Concat":["x"]}');
    const value = fc.array(fc.oneof(tricky, fc.string({ unit: "binary" })), { maxLength: 5 }).map((parts) => parts.join(""));
    const concat = JSON.stringify({
      Concat: ["<", { IfPresent: { InputName: "v", Then: { Concat: ["{{$.inputs.parameters['v']}}", "|"] }, Else: "none" } }, ">"],
    });
    const args = ["{{$.inputs.parameters['v']}}", "$(HOME)={{$.inputs.parameters['v']}}", concat, "{{$}}"];
    fc.assert(
      fc.property(value, (v) => {
        const tasks = { t: runs("c", gets({ v: input("v"), f: constant("f {{$.inputs.parameters['v']}}") })) };
        const world = new World(ir(tasks, { c: takes({ v: "STRING", f: "STRING" }) }, { root: takes({ v: "STRING" }), args }), undefined, {
          v,
        }).finish();
        const [plain, mixed, concatenated, whole] = (mainOf(world, "root.t")?.args ?? []).map((text) => expanded(text));
        expect(plain).toBe(v);
        expect(mixed).toBe(`$(HOME)=${v}`);
        expect(concatenated).toBe(`<${v}|>`);
        expect((JSON.parse(whole ?? "") as { inputs: { parameterValues: object } }).inputs.parameterValues).toEqual({ v, f: `f ${v}` });
      }),
      { numRuns: 50 },
    );
  });

  test("image and resources come from parameters, numbers too", () => {
    const container = {
      image: "{{$.inputs.parameters['image']}}:{{$.inputs.parameters['cpu']}}",
      resources: {
        resourceCpuLimit: "{{$.inputs.parameters['cpu']}}",
        resourceMemoryLimit: "{{$.inputs.parameters['memory']}}",
        accelerator: { resourceType: "nvidia.com/gpu", resourceCount: "{{$.inputs.parameters['gpus']}}" },
      },
    };
    const types = { image: "STRING", cpu: "NUMBER_DOUBLE", memory: "STRING", gpus: "NUMBER_INTEGER" } as const;
    const values = (memory: string) => ({ image: constant("python"), cpu: constant(1.5), memory: constant(memory), gpus: constant(2) });
    const yaml = (memory: string): string =>
      ir({ t: runs("c", gets(values(memory))) }, { c: { ...takes(types), executorLabel: "x" } }, { executors: { x: { container } } });
    expect(mainOf(new World(yaml("1Gi")).finish(), "root.t")).toMatchObject({
      image: "python:1.5",
      resources: { limits: { cpu: "1.5", memory: "1Gi", "nvidia.com/gpu": "2" } },
    });
    expect(new World(yaml("much")).finish().task("root.t")).toMatchObject({ state: "FAILED", message: expect.stringContaining("resource memory") });
  });

  test("a word as long as Linux takes runs, a longer one is refused by what makes it long", () => {
    const yaml = ir(
      { t: runs("c", gets({ v: input("v") })) },
      { c: takes({ v: "STRING" }) },
      { root: takes({ v: "STRING" }), args: ["{{$.inputs.parameters['v']}}"] },
    );
    expect(new World(yaml, undefined, { v: "$".repeat(131_071) }).finish().run.progress.phase).toBe("SUCCEEDED");
    expect(new World(yaml, undefined, { v: "é".repeat(65_536) }).finish().task("root.t")).toMatchObject({
      state: "FAILED",
      message: expect.stringMatching(/word 2 of its command line has 131072 bytes, of which input parameter "v" is most: .*artifacts/u),
    });
  });

  test("an init container mounts the pod's volumes by their names", () => {
    const settings = {
      emptyDirMounts: [{ volumeName: "scratch", mountPath: "/scratch" }],
      initContainers: [{ name: "prepare", image: "x", volumeMounts: [{ volumeName: "scratch", mountPath: "/s" }] }],
    };
    const world = new World(ir({ t: runs("c") }, { c: {} }, { kubernetes: { deploymentSpec: { executors: { run: settings } } } })).finish();
    expect(world.pods[0]!.pod.spec.initContainers.at(-1)).toMatchObject({ name: "prepare", volumeMounts: [{ name: "scratch", mountPath: "/s" }] });
  });

  test("a secret and a claim of one name have volumes of their own", () => {
    const settings = { secretAsVolume: [{ secretName: "data", mountPath: "/secret" }], pvcMount: [{ constant: "data", mountPath: "/data" }] };
    const world = new World(ir({ t: runs("c") }, { c: {} }, { kubernetes: { deploymentSpec: { executors: { run: settings } } } })).finish();
    const { volumes } = world.pods[0]!.pod.spec;
    const volumeAt = (path: string) =>
      volumes.find(({ name }) => name === mainOf(world, "root.t")?.volumeMounts?.find((one) => one.mountPath === path)?.name);
    expect(volumeAt("/secret")).toMatchObject({ secret: { secretName: "data" } });
    expect(volumeAt("/data")).toMatchObject({ persistentVolumeClaim: { claimName: "data" } });
  });
});
