import { pipelineSpecOf, type PipelineSource } from "@sluice/sdk";
import { expect } from "vitest";
import type { PodManifest } from "../engine/index.ts";
import type { ObservedPod } from "../runner/kinds.ts";
import { World, type PodWork } from "../world.fixture.ts";

/** A task as the API tells of it. */
export interface TaskBody {
  readonly name: string;
  readonly task_id: string;
  readonly state: string;
  readonly status_metadata?: { readonly message?: string };
}

/** A run with its tasks, as the API tells of it. */
export interface RunBody {
  readonly run_id: string;
  readonly state: string;
  readonly error?: { readonly message: string };
  readonly tasks: readonly TaskBody[];
}

/** What the pods of a task do; `name` is its task's. */
export type Work = (name: string, pod: ObservedPod) => PodWork;

/** A world to complain about: pipelines go in by the API, and what became of them is asked of it. */
export class Trial {
  readonly world: World = new World();

  set work(work: Work) {
    this.world.work = (pod) => work(nameOf(pod), pod);
  }

  /** Starts a run; of a namespace, if that is given. */
  async start(pipeline: PipelineSource, parameters: object = {}, { namespace }: { readonly namespace?: string } = {}): Promise<string> {
    const experiment_id = namespace === undefined ? undefined : await this.#experimentOf(namespace);
    const run = { display_name: "r", experiment_id, pipeline_spec: pipelineSpecOf(pipeline), runtime_config: { parameters } };
    const { status, body } = await this.world.request("POST", "/runs", run);
    expect(status, JSON.stringify(body)).toBe(200);
    return (body as RunBody).run_id;
  }

  async #experimentOf(namespace: string): Promise<string> {
    const { body } = await this.world.request("POST", "/experiments", { display_name: `of ${namespace}`, namespace });
    return (body as { readonly experiment_id: string }).experiment_id;
  }

  async run(id: string): Promise<RunBody> {
    return (await this.world.request("GET", `/runs/${id}?view=FULL`)).body;
  }

  /** The run once it has ended, as it should. */
  async ends(id: string, state: "SUCCEEDED" | "FAILED" | "CANCELED"): Promise<RunBody> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const unsubscribe = this.world.runner.subscribe(id, ({ isOver }) => (isOver ? resolve() : undefined));
    const { body } = await this.world.request("GET", `/runs/${id}`);
    if (!["SUCCEEDED", "FAILED", "CANCELED"].includes((body as RunBody).state)) await over;
    unsubscribe();
    const run = await this.run(id);
    expect(run.state, JSON.stringify(run)).toBe(state);
    return run;
  }

  /** What the containers of a task were told to run, in the order in which its pods were made. */
  commandsOf(name: string): readonly (readonly string[])[] {
    const pods = this.world.created.flatMap((podName) => this.world.pods().filter(({ metadata }) => metadata.name === podName));
    return pods.filter((pod) => nameOf(pod) === name).map(commandOf);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.world[Symbol.asyncDispose]();
  }
}

/** The task that a pod belongs to: the last name on its path that is no index. */
function nameOf({ metadata }: ObservedPod): string {
  const path = metadata.annotations?.["pipelines.sluice.dev/task-path"] ?? "";
  return path.split(".").findLast((part) => /\D/u.test(part)) ?? "";
}

/** How many tasks there are of each name, and in which states. */
export function statesOf({ tasks }: RunBody): Readonly<Record<string, Readonly<Record<string, number>>>> {
  const states: Record<string, Record<string, number>> = {};
  for (const { name, state } of tasks) {
    const counts = (states[name] ??= {});
    counts[state] = (counts[state] ?? 0) + 1;
  }
  return states;
}

/** What the user's container of a pod was told to run. */
export function commandOf(pod: ObservedPod): readonly string[] {
  const { spec } = pod as ObservedPod & Partial<PodManifest>;
  const { command = [], args = [] } = spec?.containers[0] ?? {};
  return [...command, ...args];
}
