import { expect, vi } from "vitest";
import type { World } from "./world.fixture.ts";

/** As much of a run as tests look at. */
export interface SeenRun {
  readonly run_id: string;
  readonly state: string;
  readonly storage_state: string;
  readonly error?: { readonly message: string };
  readonly runtime_config?: { readonly parameters?: object };
  readonly tasks: readonly SeenTask[];
}

/** As much of a task as tests look at. */
interface SeenTask {
  readonly task_id: string;
  readonly name: string;
  readonly state: string;
  readonly scope_path: string;
  readonly pods?: readonly { readonly name: string }[];
  readonly cached_from?: string;
}

/** An explanation as tests look at it. */
export interface SeenWhy {
  readonly state: string;
  readonly summary: string;
  readonly reasons: readonly { readonly type: string; readonly message: string; readonly [fact: string]: unknown }[];
}

/** Runs of a world, by its REST API. */
export class Runs {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async start(spec: unknown, parameters: object = {}, more: object = {}): Promise<string> {
    const answer = await this.#world.request("POST", "/runs", { display_name: "r", pipeline_spec: spec, runtime_config: { parameters }, ...more });
    expect(answer).toMatchObject({ status: 200 });
    return (answer.body as SeenRun).run_id;
  }

  async get(id: string): Promise<SeenRun> {
    return (await this.#world.request("GET", `/runs/${id}?view=FULL`)).body;
  }

  /** The run once it is in that state. */
  reaches(id: string, state: string): Promise<SeenRun> {
    return vi.waitFor(
      async () => {
        const now = await this.get(id);
        expect(now.state, JSON.stringify(now.tasks)).toBe(state);
        return now;
      },
      { timeout: 10_000, interval: 10 },
    );
  }

  /** Starts a run and waits for its end. */
  async complete(spec: unknown, parameters: object = {}, more: object = {}): Promise<SeenRun> {
    return this.reaches(await this.start(spec, parameters, more), "SUCCEEDED");
  }

  /** Asks for something; the answer must be success. */
  async post<T = object>(path: string, body: object = {}): Promise<T> {
    const answer = await this.#world.request("POST", path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  }

  async why(runId: string, task: string): Promise<SeenWhy> {
    const answer = await this.#world.request("GET", `/runs/${runId}/tasks/${encodeURIComponent(task)}:why`);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body;
  }
}

/** The states of a run's tasks, by name. */
export function statesOf({ tasks }: SeenRun): Record<string, string> {
  return Object.fromEntries(tasks.map(({ name, state }) => [name, state]));
}
