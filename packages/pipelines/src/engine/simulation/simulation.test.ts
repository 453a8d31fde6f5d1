import { expect, test } from "vitest";
import { parsePipelineObject } from "../../domain/ir-parse.ts";
import { UserError } from "@sluice/kubernetes";
import { checkEdit, hasEnded, hasSucceeded, type RunState } from "../index.ts";
import { editPipeline } from "./edit-pipeline.fixture.ts";
import { chanceOutcomes } from "./outcome.fixture.ts";
import { randomPipeline } from "./pipeline.fixture.ts";
import { Random } from "./random.fixture.ts";
import { type Ended, interpret, isPlaceOf } from "./reference.fixture.ts";
import { check, Simulation } from "./simulate.fixture.ts";

const COUNT = Number(process.env["SLUICE_SIMULATIONS"] ?? "500");
const FIRST = Number(process.env["SLUICE_SIMULATION_SEED"] ?? "1");

/** Runs `simulate` with one seed after the other; tells the seed of the first that fails. */
function all(simulate: (seed: number) => void): void {
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    try {
      simulate(seed);
    } catch (error) {
      throw new Error(`simulation ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}

/** What a run has come to, in the words of the reference. */
function resultOf(run: RunState): Map<string, Ended> {
  const all = new Map<string, Ended>();
  for (const { path, kind, state, outputs, attempt } of run.tasks.values()) {
    const artifacts = Object.entries(outputs.artifacts).map(([name, list]) => [name, list.map(({ uri }) => uri)]);
    const ended = { state: state as Ended["state"], parameters: outputs.parameters, artifacts: Object.fromEntries(artifacts) };
    all.set(path, { ...ended, attempt: kind === "RUNTIME" ? attempt : 0 });
  }
  return all;
}

function textsOf(result: ReadonlyMap<string, Ended>, isAttemptKnown: boolean): readonly string[] {
  return [...result]
    .map(([path, { state, parameters, artifacts, attempt }]) => {
      const values = [parameters, artifacts].map((some) =>
        Object.keys(some)
          .sort()
          .map((name) => [name, some[name]]),
      );
      return `${path} ${state} ${JSON.stringify(values)}${isAttemptKnown ? ` ${attempt}` : ""}`;
    })
    .sort();
}

function checkSame(run: RunState, expected: ReadonlyMap<string, Ended>, isAttemptKnown: boolean): void {
  const [is, should] = [textsOf(resultOf(run), isAttemptKnown), textsOf(expected, isAttemptKnown)];
  if (is.join("\n") === should.join("\n")) return;
  const only = (some: readonly string[], others: readonly string[]): string => some.filter((one) => !others.includes(one)).join("\n  ");
  throw new Error(`the run differs from the reference; it has\n  ${only(is, should)}\nand should have\n  ${only(should, is)}`);
}

function checkOnce(executed: readonly string[]): void {
  const twice = executed.filter((one, index) => executed.indexOf(one) !== index);
  check(twice.length === 0, `nothing runs twice: ${twice.join()}`);
}

test("random pipelines are valid", () => {
  for (let seed = FIRST; seed < FIRST + 100; seed++) {
    expect(() => parsePipelineObject(randomPipeline(new Random(seed), 8))).not.toThrow();
  }
});

test("a run ends as the reference says, in whatever order, however often and after whatever crash things are told", { timeout: 0 }, () => {
  all((seed) => {
    const random = new Random(seed);
    const spec = randomPipeline(random, 3 + random.below(9));
    const outcomes = chanceOutcomes(seed, random.pick([0, 3, 8]));
    const trouble = { crashOneIn: random.pick([0, 5, 20]), twiceOneIn: random.pick([0, 4]) };
    const simulation = new Simulation(spec, outcomes, { random, trouble });
    simulation.play({ type: "runStarted", time: 0 });
    checkOnce(simulation.executed);
    const expected = interpret(spec, outcomes);
    checkSame(simulation.run, expected, true);
    check(simulation.run.progress.phase === expected.get("root")?.state, "the run ends as its root");
  });
});

test("a run that is stopped ends, and starts nothing but exit tasks, which run if what they clean up after has begun", { timeout: 0 }, () => {
  all((seed) => {
    const random = new Random(seed);
    const spec = randomPipeline(random, 3 + random.below(9));
    const outcomes = chanceOutcomes(seed, random.pick([0, 3]));
    const isForced = random.oneIn(3);
    const first = random.below(30);
    const terminateAt = isForced ? [first, first + random.below(10)] : [first];
    const isDeadline = random.oneIn(4);
    const stop = isDeadline ? { deadlineSeconds: 1 + random.below(5) } : { terminateAt };
    const trouble = { crashOneIn: random.pick([0, 5, 20]), twiceOneIn: random.pick([0, 4]), ...stop };
    const simulation = new Simulation(spec, outcomes, { random, trouble });
    simulation.play({ type: "runStarted", time: 0 });
    checkOnce(simulation.executed);
    const { run } = simulation;
    const { stopping, phase } = run.progress;
    if (stopping === undefined) return checkSame(run, interpret(spec, outcomes), true);
    check(phase === (stopping === "terminated" ? "CANCELED" : "FAILED"), "a stopped run is not a success");
    if (run.progress.isForced === true) return;
    for (const graph of run.tasks.values()) {
      if (graph.kind === "LOOP" || graph.kind === "RUNTIME" || graph.kind === "IMPORTER" || graph.state === "SKIPPED") continue;
      for (const task of run.plan(graph.component).values()) {
        const exit = run.child(graph.id, task.name);
        if (!task.isExit || !task.dependencies.some((name) => hasEnded(run.child(graph.id, name)?.state ?? "PENDING"))) continue;
        check(exit !== undefined && exit.state !== "CANCELED", `${graph.path}.${task.name} has run`);
      }
    }
  });
});

test("a run that is retried ends as if nothing had failed, and repeats no success but what follows a task that ran anyway", { timeout: 0 }, () => {
  all((seed) => {
    const random = new Random(seed);
    const spec = randomPipeline(random, 3 + random.below(9));
    const stop = random.oneIn(3) ? { terminateAt: [random.below(20)] } : {};
    const trouble = { crashOneIn: random.pick([0, 5, 20]), twiceOneIn: random.pick([0, 4]), ...stop };
    const simulation = new Simulation(spec, chanceOutcomes(seed, 3), { random, trouble });
    simulation.play({ type: "runStarted", time: 0 });
    if (simulation.run.progress.phase === "SUCCEEDED") return;
    const before = new Map([...simulation.run.tasks.values()].map((task) => [task.path, task]));
    const count = simulation.executed.length;
    simulation.outcomes = chanceOutcomes(seed, 0);
    simulation.trouble = { ...trouble, terminateAt: [] };
    simulation.play({ type: "retryRequested", time: 0 });
    checkOnce(simulation.executed);
    const expected = interpret(spec, simulation.outcomes);
    checkSame(reached(simulation.run, expected), expected, false);
    const hasOdd = Object.values({ ...spec.components, root: spec.root }).some(({ dag }) =>
      Object.values(dag?.tasks ?? {}).some(({ triggerPolicy }) => triggerPolicy?.strategy === "ALL_UPSTREAM_TASKS_COMPLETED"),
    );
    if (hasOdd) return;
    for (const one of simulation.executed.slice(count)) {
      const path = one.replace(/\/\d+$/u, "");
      check(!hasSucceeded(before.get(path)?.state ?? "PENDING"), `${path} had succeeded`);
    }
  });
});

test("a run that goes on as an edited pipeline ends as that would, and what is edited runs again", { timeout: 0 }, () => {
  all((seed) => {
    const random = new Random(seed);
    const spec = randomPipeline(random, 3 + random.below(9));
    const trouble = { crashOneIn: random.pick([0, 5, 20]), twiceOneIn: random.pick([0, 4]) };
    const simulation = new Simulation(spec, chanceOutcomes(seed, 3), { random, trouble });
    simulation.play({ type: "runStarted", time: 0 });
    const { run, executed } = simulation;
    if (run.progress.phase === "SUCCEEDED") return;
    const { spec: edited, recoded } = editPipeline(random, spec);
    try {
      checkEdit(run, { spec: edited });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return check(
        [...run.tasks.values()].some(({ path }) => !isPlaceOf(edited, path)),
        `it fits: ${error.message}`,
      );
    }
    const before = new Map([...run.tasks.values()].map((task) => [task.path, task]));
    const count = executed.length;
    simulation.outcomes = chanceOutcomes(seed, 0);
    simulation.play({ type: "retryRequested", time: 0, spec: edited });
    checkOnce(executed);
    const expected = interpret(edited, simulation.outcomes);
    checkSame(reached(simulation.run, expected), expected, false);
    if (recoded === undefined) return;
    const again = new Set(executed.slice(count).map((one) => one.replace(/\/\d+$/u, "")));
    for (const task of simulation.run.tasks.values()) {
      const isRecoded = task.component === "comp-recoded" && task.state === "SUCCEEDED" && task.kind === "RUNTIME";
      if (isRecoded && before.has(task.path)) check(again.has(task.path), `${task.path} runs again`);
    }
  });
});

/** A run without what an earlier try has left and the last one has not reached. */
function reached(run: RunState, expected: ReadonlyMap<string, Ended>): RunState {
  const tasks = new Map([...run.tasks].filter(([, { path, state }]) => state !== "SKIPPED" || expected.has(path)));
  return { tasks } as never as RunState;
}
