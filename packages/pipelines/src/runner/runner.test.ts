import { ApiError } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RUN_LABEL, TASK_LABEL } from "../engine/index.ts";
import { CHAIN, WIDE } from "../specs.fixture.ts";
import { PODS } from "./kinds.ts";
import { LiveRun } from "./live-run.ts";
import { RunStore } from "../store/run-store.ts";
import { World } from "../world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = new World();
  await world.boot();
});
afterEach(() => world[Symbol.asyncDispose]());

interface RunBody {
  readonly run_id: string;
  readonly state: string;
  readonly finished_at: string;
  readonly error?: { readonly message: string };
  readonly tasks: readonly {
    readonly name: string;
    readonly state: string;
    readonly task_id: string;
    readonly pods?: readonly { readonly name: string }[];
  }[];
}

async function start(spec: unknown, parameters: object, body: object = {}): Promise<string> {
  const answer = await world.request("POST", "/runs", { display_name: "r", pipeline_spec: spec, runtime_config: { parameters }, ...body });
  expect(answer).toMatchObject({ status: 200 });
  return (answer.body as RunBody).run_id;
}
async function run(id: string): Promise<RunBody> {
  return (await world.request("GET", `/runs/${id}?view=FULL`)).body;
}
/** The run once it is in that state. */
async function reaches(id: string, state: string): Promise<RunBody> {
  return vi.waitFor(
    async () => {
      const now = await run(id);
      expect(now.state, JSON.stringify(now.tasks)).toBe(state);
      return now;
    },
    { timeout: 10_000, interval: 10 },
  );
}
const kinds = (): string[] => [...world.objects.values()].map(({ kind }) => kind);
const WORKSPACE = {
  pipeline_spec: CHAIN,
  platform_spec: { platforms: { kubernetes: { pipelineConfig: { workspace: { size: "1Gi" } } } } },
};
const states = ({ tasks }: RunBody): Record<string, string> => Object.fromEntries(tasks.map(({ name, state }) => [name, state]));
const isFirst = (name: string): boolean => name.includes("first");
const firstOutput = (uri: string) => ({
  parameters: { Output: 7 },
  artifacts: [{ output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri, metadata: {}, digest: "sha256:0", size: 5 }],
});

describe("a run", () => {
  test("goes through its tasks, and the next one like it takes what is cached", async () => {
    await world.objectStore.put("minio://b/report", Buffer.from("<b>hi"));
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/report") : {});
    const done = await reaches(await start(CHAIN, { n: 3 }), "SUCCEEDED");
    expect(states(done)).toEqual({ root: "SUCCEEDED", first: "SUCCEEDED", second: "SUCCEEDED" });
    expect(world.created).toHaveLength(2);
    const again = await reaches(await start(CHAIN, { n: 3 }), "SUCCEEDED");
    expect(states(again).first).toBe("CACHED");
    expect(world.created.filter(isFirst)).toHaveLength(1);
    await world.objectStore.delete("minio://b");
    const lost = await reaches(await start(CHAIN, { n: 3 }), "SUCCEEDED");
    expect(states(lost).first).toBe("SUCCEEDED");
    expect(await world.store.outbox.all()).toEqual([]);
  });

  test("says why a task failed, and retries only what failed", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : { exitCode: 3, log: "Traceback\nValueError: no" });
    const id = await start(CHAIN, { n: 1 });
    const failed = await reaches(id, "FAILED");
    expect(states(failed)).toMatchObject({ first: "SUCCEEDED", second: "FAILED" });
    expect(JSON.stringify(failed.tasks)).toMatch(/code 3: .*ValueError: no/u);
    world.work = () => ({});
    expect(await world.request("POST", `/runs/${id}:retry`)).toMatchObject({ status: 200 });
    await reaches(id, "SUCCEEDED");
    expect(world.created.filter(isFirst)).toHaveLength(1);
    expect(world.created).toHaveLength(3);
  });

  test("is terminated with its pods, and deleted with all it has", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
    expect(await world.request("POST", `/runs/${id}:terminate`)).toMatchObject({ status: 200 });
    await reaches(id, "CANCELED");
    expect(world.pods()).toEqual([]);
    expect(await world.request("POST", `/runs/${id}:terminate`)).toMatchObject({ status: 400 });

    const other = await start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
    expect(await world.request("DELETE", `/runs/${other}`)).toMatchObject({ status: 200 });
    await vi.waitFor(async () => {
      expect(world.pods()).toEqual([]);
      expect(await world.store.outbox.all()).toEqual([]);
    });
    expect(await world.request("GET", `/runs/${other}`)).toMatchObject({ status: 404 });
  });

  test("starts the pods of a wide loop together", async () => {
    const items = Array.from({ length: 200 }, (_, index) => index);
    const done = await reaches(await start(WIDE, { items }), "SUCCEEDED");
    expect(world.created).toHaveLength(200);
    expect(new Set(world.created).size).toBe(200);
    expect(done.tasks.filter(({ name }) => name === "one")).toHaveLength(200);
  });

  test("survives the end of the process at every step, and repeats nothing that is done", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : { hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.created).toHaveLength(2));
    world.crash();
    await world.boot();
    expect((await run(id)).state).toBe("RUNNING");
    // While nobody watched, the second pod ended.
    world.crash();
    const second = world.pods().find(({ metadata }) => !isFirst(metadata.name));
    const labels = second?.metadata.labels ?? {};
    const taskId = (await run(id)).tasks.find(({ name }) => name === "second")?.task_id ?? "";
    await world.store.tasks.putReport(
      { runId: labels[RUN_LABEL] ?? "", taskId, attempt: 0, parameters: {}, artifacts: [], problems: [] },
      "kubeflow",
    );
    for (const [key, object] of world.objects) if (object === second) world.objects.set(key, { ...second, status: { phase: "Succeeded" } } as never);
    await world.boot();
    await reaches(id, "SUCCEEDED");
    expect(world.created).toHaveLength(2);
  });

  test("starts every task once, however often the process dies", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : {});
    const narrow = JSON.parse(
      JSON.stringify(WIDE).replace('"parameterIterator"', '"iteratorPolicy":{"parallelismLimit":3},"parameterIterator"'),
    ) as unknown;
    const id = await start(narrow, { items: Array.from({ length: 60 }, (_, index) => index) });
    let deaths = 0;
    for (; (await run(id)).state !== "SUCCEEDED"; deaths++) {
      for (let turns = 0; turns < deaths % 7; turns++) await new Promise((resolve) => setImmediate(resolve));
      world.crash();
      await world.boot();
    }
    expect(deaths).toBeGreaterThan(10);
    const done = await run(id);
    expect(world.created).toHaveLength(60);
    expect(new Set(world.created).size).toBe(60);
    expect(done.tasks.every(({ state }) => state === "SUCCEEDED")).toBe(true);
    await vi.waitFor(async () => expect(await world.store.outbox.all()).toEqual([]));
  });

  test("does not wait for a pod that cannot start", async () => {
    world.work = () => ({ waits: { reason: "ImagePullBackOff", message: "no such image: example.com/no/such:1" } });
    const id = await start(CHAIN, { n: 1 });
    const failed = await reaches(id, "FAILED");
    expect(failed.error?.message).toContain("its pod cannot start: container main: ImagePullBackOff: no such image: example.com/no/such:1");
    await vi.waitFor(() => expect(world.pods()).toEqual([]));
  });

  test("fails with the pod that was deleted under it", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
    const [pod] = world.pods();
    await world.client.delete(PODS, { namespace: "kubeflow", name: pod?.metadata.name ?? "" });
    expect(JSON.stringify((await reaches(id, "FAILED")).tasks)).toContain("the pod was deleted");
  });

  test("is watched live", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : {});
    const id = await start(CHAIN, { n: 1 });
    const text = await (await world.app.request(`/runs/${id}:watch`)).text();
    const events = text.split("\n\n").filter((event) => event !== "");
    expect(events.at(-1)).toMatch(/^event: end/u);
    expect(events.at(-2)).toContain('"state":"SUCCEEDED"');
    expect(events.map((event) => event.includes('"pipeline_spec"'))).toEqual(events.map((_, index) => index === 0));
    const after = await (await world.app.request(`/runs/${id}:watch`)).text();
    expect(after.match(/^event: run/gmu)).toHaveLength(1);
  });

  test("that is asked for while the process still starts is taken up first", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
    const mayRead = Promise.withResolvers<void>();
    const { unfinished } = RunStore.prototype;
    vi.spyOn(RunStore.prototype, "unfinished").mockImplementation(function (this: RunStore) {
      return mayRead.promise.then(() => unfinished.call(this));
    });
    const before = world.runner;
    const booted = world.boot();
    await vi.waitFor(() => expect(world.runner).not.toBe(before));
    const terminated = world.request("POST", `/runs/${id}:terminate`);
    const other = start(CHAIN, { n: 2 });
    mayRead.resolve();
    await booted;
    vi.restoreAllMocks();
    expect(await terminated).toMatchObject({ status: 200 });
    await reaches(id, "CANCELED");
    await other;
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
  });

  test("goes on when it could not be deleted, and leaves nothing when it could", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(WORKSPACE, { n: 1 });
    await vi.waitFor(() => expect(world.pods()).toHaveLength(1));
    const { list } = world.client;
    Object.assign(world.client, { list: () => Promise.reject(new ApiError("ServiceUnavailable", "not now")) });
    expect(await world.request("DELETE", `/runs/${id}`)).toMatchObject({ status: 503 });
    Object.assign(world.client, { list });
    expect((await run(id)).state).toBe("RUNNING");
    const [terminated, deleted] = await Promise.all([world.request("POST", `/runs/${id}:terminate`), world.request("DELETE", `/runs/${id}`)]);
    expect(deleted.status).toBe(200);
    expect([200, 404]).toContain(terminated.status);
    await vi.waitFor(async () => {
      expect(kinds()).not.toContain("Pod");
      expect(kinds()).not.toContain("PersistentVolumeClaim");
      expect(await world.store.outbox.all()).toEqual([]);
    });
    expect(await world.store.tasks.ofRun(id)).toEqual([]);
  });

  test.each([false, true])("takes its workspace away in the end, also if that is not possible at once (process dies: %s)", async (dies) => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : {});
    const { delete: remove } = world.client;
    let isDown = true;
    Object.assign(world.client, {
      delete: (resource: Parameters<typeof remove>[0], key: Parameters<typeof remove>[1]) =>
        isDown && resource.kind === "PersistentVolumeClaim" ? Promise.reject(new ApiError("ServiceUnavailable", "not now")) : remove(resource, key),
    });
    const id = await start(WORKSPACE, { n: 1 });
    await reaches(id, "SUCCEEDED");
    expect(kinds()).toContain("PersistentVolumeClaim");
    isDown = false;
    if (dies) await world.boot();
    await vi.waitFor(() => expect(kinds()).not.toContain("PersistentVolumeClaim"));
    await vi.waitFor(async () => expect(await world.store.outbox.all()).toEqual([]));
  });

  test("that has failed keeps its workspace for a retry, and loses it with itself", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : { exitCode: 1 });
    const id = await start(WORKSPACE, { n: 1 });
    await reaches(id, "FAILED");
    expect(kinds()).toContain("PersistentVolumeClaim");
    expect(await world.request("DELETE", `/runs/${id}`)).toMatchObject({ status: 200 });
    await vi.waitFor(() => expect(kinds()).toEqual(expect.not.arrayContaining(["Pod", "PersistentVolumeClaim"])));
  });

  test("whose deletion overtakes the creation of its pod leaves none", async () => {
    world.work = () => ({ hangs: true });
    const { create } = world.client;
    const mayCreate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    Object.assign(world.client, {
      create: async (...parameters: Parameters<typeof create>) => {
        if (parameters[0].kind !== "Pod") return create(...parameters);
        begun.resolve();
        await mayCreate.promise;
        return create(...parameters);
      },
    });
    const ids = [await start(CHAIN, { n: 1 }), await start(CHAIN, { n: 2 })];
    await begun.promise;
    await vi.waitFor(async () => expect(await world.store.outbox.all()).toHaveLength(2));
    expect(await world.request("DELETE", `/runs/${ids[0]}`)).toMatchObject({ status: 200 });
    expect(await world.request("POST", `/runs/${ids[1]}:terminate`)).toMatchObject({ status: 200 });
    mayCreate.resolve();
    await reaches(ids[1] ?? "", "CANCELED");
    await vi.waitFor(async () => {
      expect(world.pods()).toEqual([]);
      expect(await world.store.outbox.all()).toEqual([]);
    });
    expect(world.created).toHaveLength(2);
  });

  test("goes on from what is stored when the database fails for a while", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(async () => expect(states(await run(id)).first).toBe("RUNNING"));
    const [pod] = world.pods();
    const failure = new ApiError("InternalError", "the disk failed");
    vi.spyOn(console, "error").mockReturnValue();
    vi.spyOn(world.store.runs, "commit").mockRejectedValueOnce(failure);
    const reading = vi.spyOn(world.store.tasks, "ofRun").mockRejectedValueOnce(failure);
    world.work = () => ({});
    const labels = pod?.metadata.labels ?? {};
    await world.runner.report(
      { ...{ runId: id, taskId: labels[TASK_LABEL] ?? "", attempt: 0 }, ...firstOutput("minio://b/r"), problems: [] },
      pod?.metadata.namespace ?? "",
    );
    if (pod !== undefined) world.runner.observe({ ...pod, status: { phase: "Succeeded" } });
    await vi.waitFor(() => expect(reading).toHaveBeenCalled(), { timeout: 5000 });
    expect(states(await reaches(id, "SUCCEEDED"))).toMatchObject({ first: "SUCCEEDED", second: "SUCCEEDED" });
    vi.restoreAllMocks();
  });

  test("in which the engine makes a mistake is given up, and can be retried", async () => {
    world.work = () => ({ hangs: true });
    const id = await start(CHAIN, { n: 1 });
    await vi.waitFor(async () => expect(states(await run(id)).first).toBe("RUNNING"));
    vi.spyOn(console, "error").mockReturnValue();
    vi.spyOn(LiveRun.prototype, "advance").mockImplementationOnce(() => {
      throw new Error("a mistake");
    });
    await world.request("POST", `/runs/${id}:terminate`);
    const failed = await reaches(id, "FAILED");
    expect(failed.error?.message).toBe("internal error: a mistake");
    expect(states(failed)).toMatchObject({ root: "CANCELED", first: "CANCELED" });
    await vi.waitFor(() => expect(kinds()).not.toContain("Pod"));
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : {});
    expect(await world.request("POST", `/runs/${id}:retry`)).toMatchObject({ status: 200 });
    await reaches(id, "SUCCEEDED");
    vi.restoreAllMocks();
  });

  test("is told of to those who watch all runs of its namespace, once per state", async () => {
    world.work = (pod) => (isFirst(pod.metadata.name) ? firstOutput("minio://b/r") : {});
    const states: string[] = [];
    const { body } = await world.app.request("/runs:watch");
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    const id = await start(CHAIN, { n: 1 });
    while (states.at(-1) !== "SUCCEEDED") {
      const { done, value } = await reader.read();
      expect(done).toBe(false);
      const text = new TextDecoder().decode(value);
      for (const [, data = ""] of text.matchAll(/^data: (.*)$/gmu)) {
        const event = JSON.parse(data) as { run_id: string; state: string };
        expect(event.run_id).toBe(id);
        states.push(event.state);
      }
    }
    expect(states).toEqual([...new Set(states)]);
    await reader.cancel();
  });
});
