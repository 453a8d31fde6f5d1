import { afterEach, beforeEach, expect, vi } from "vitest";
import type { JsonObject, JsonValue } from "../domain/ir.ts";
import { CHAIN } from "../specs.fixture.ts";
import { World } from "../world.fixture.ts";
import type { Operation } from "./api.ts";
import { readFields } from "./read-field.ts";

/** An answer's JSON. */
export type Answer = Readonly<Record<string, unknown>>;

/** The REST API over a world of pods; every answer is checked against what its operation says that it is. */
export class Rest {
  world!: World;

  /** What must succeed. */
  async ok(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await this.send(method, path, body);
    const text = await response.text();
    expect([response.status, text], `${method} ${path}`).toEqual([200, expect.anything()]);
    const answer = JSON.parse(text) as JsonObject;
    const type = this.operation(method, path)?.answer;
    // Reading it as a request changes nothing: names, enums and int64s are as they should be, and no field is unknown.
    if (typeof type === "object" && type.name !== "OpenApi") expect(readFields(answer, type.fields, ""), `${method} ${path}`).toEqual(answer);
    else if (type === undefined) expect(answer).toEqual({});
    return answer;
  }

  /** What must be refused, and how. */
  async refused(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly code: number; readonly message: string }> {
    const response = await this.send(method, path, body);
    const answer = (await response.json()) as { code: number; message: string; error_message?: string };
    expect(response.status, `${method} ${path} ${JSON.stringify(answer)}`).toBeGreaterThanOrEqual(400);
    expect(response.status, `${method} ${path} ${JSON.stringify(answer)}`).toBeLessThan(500);
    return { status: response.status, code: answer.code, message: answer.message ?? answer.error_message };
  }

  send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const json = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    return Promise.resolve(this.world.app.request(path, { method, headers: { "content-type": "application/json", ...headers }, ...json }));
  }

  /** Uploads a file. */
  async upload(path: string, bytes: Uint8Array | string, name = "pipeline.yaml"): Promise<{ readonly status: number; readonly body: Answer }> {
    const form = new FormData();
    form.set("uploadfile", new File([bytes as never], name));
    const response = await this.world.app.request(path, { method: "POST", body: form });
    return { status: response.status, body: (await response.json()) as Answer };
  }

  /** Starts a run of `CHAIN`; tells its id. */
  async run(change: object = {}): Promise<string> {
    const body = { display_name: "r", pipeline_spec: CHAIN, runtime_config: { parameters: { n: 1 } }, ...change };
    return String((await this.ok("POST", "/runs", body))["run_id"]);
  }

  /** Waits until a run is in a state. */
  async reaches(runId: string, state: string): Promise<void> {
    await vi.waitFor(async () => expect((await this.ok("GET", `/runs/${runId}?view=DEFAULT`))["state"]).toBe(state), { timeout: 10_000 });
  }

  /** The id of a run's task, once there is one at that path. */
  async taskId(runId: string, path: string): Promise<string> {
    return vi.waitFor(async () => {
      const id = (await this.tasks(runId))[path]?.["task_id"];
      expect(id).toBeTypeOf("string");
      return String(id);
    });
  }

  /** The tasks of a run by their paths. */
  async tasks(runId: string): Promise<Readonly<Record<string, JsonObject>>> {
    const { tasks = [] } = (await this.ok("GET", `/runs/${runId}/tasks?page_size=200`)) as { tasks?: JsonObject[] };
    return Object.fromEntries(tasks.map((task) => [String(task["scope_path"] ?? task["name"]), task]));
  }

  /** What a path means. */
  operation(method: string, path: string): Operation | undefined {
    const [bare = ""] = path.split("?");
    return this.world.operations.find((one) => {
      if (one.method !== method.toLowerCase()) return false;
      const pattern = one.path.replaceAll(/[.]/gu, "\\.").replaceAll(/\{\w+\}/gu, "[^/]+");
      return new RegExp(`^${pattern}$`, "u").test(bare) && (one.path.includes("}:") || !/:\w+$/u.test(bare) || !one.path.endsWith("}"));
    });
  }
}

/** A `Rest` of its own for each test of a file. */
export function useRest(): Rest {
  const rest = new Rest();
  beforeEach(async () => {
    rest.world = new World();
    await rest.world.boot();
  });
  afterEach(() => rest.world[Symbol.asyncDispose]());
  return rest;
}

/** A query string. */
export function query(parameters: Readonly<Record<string, string>>): string {
  return `?${new URLSearchParams(parameters).toString()}`;
}

/** A filter of predicates, as a query's parameter. */
export function filter(...predicates: readonly object[]): string {
  return JSON.stringify({ predicates });
}

/** The values of a field in a list. */
export function pick(answer: Answer, plural: string, field: string): JsonValue[] {
  return ((answer[plural] ?? []) as JsonObject[]).map((item) => item[field] ?? null);
}
