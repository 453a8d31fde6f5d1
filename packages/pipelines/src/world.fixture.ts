import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, WatchOptions } from "@sluice/client";
import { LOCAL_USER, type Action, type Routes, type RouteEnvironment } from "@sluice/component";
import { runManager, systemClock, type Clock } from "@sluice/controller";
import { openDatabase, type Database } from "@sluice/database";
import { ApiError, pathOf, type KubernetesObject, type ObjectKey, type Resource, type WatchEvent } from "@sluice/kubernetes";
import { openDirectoryStore, type ObjectStore } from "@sluice/object-store";
import { Hono } from "hono";
import { createHash, randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { ATTEMPT_LABEL, RUN_LABEL, TASK_LABEL, type EngineContext, type TaskReport } from "./engine/index.ts";
import { ArtifactStores } from "./artifact-stores/artifact-stores.ts";
import { runPods } from "./controllers/run-pods.ts";
import { Upkeep } from "./lifecycle/upkeep.ts";
import { pipelinesMigrations } from "./migrations/index.ts";
import type { Operation } from "./routes/api.ts";
import { pipelineRoutes } from "./routes/index.ts";
import { PODS, type ObservedPod } from "./runner/kinds.ts";
import { Runner, type RunnerOptions } from "./runner/runner.ts";
import { Scheduler } from "./schedules/scheduler.ts";
import { pipelinesDatabase } from "./store/tables.ts";
import { Store } from "./store/store.ts";

/** What a pod of the test's world does once it exists. */
export interface PodWork {
  readonly exitCode?: number;
  readonly parameters?: TaskReport["parameters"];
  readonly artifacts?: TaskReport["artifacts"];
  /** What its agent stores before it reports, by address. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly log?: string;
  /** What its container ran. */
  readonly imageId?: string;
  /** Waits for ever, for this reason. */
  readonly waits?: { readonly reason: string; readonly message: string };
  /** Stays running. */
  readonly hangs?: boolean;
}

/** The component over a database in a file and a world of pods that start and end as the test says. */
export class World {
  readonly directory: string = mkdtempSync(join(tmpdir(), "sluice-pipelines-"));
  readonly objects: Map<string, KubernetesObject> = new Map();
  readonly logs: Map<string, string> = new Map();
  readonly created: string[] = [];
  readonly asked: Action[] = [];
  readonly forbidden: Set<string> = new Set();
  clock: Clock = systemClock;
  /** By task: what its pods do. */
  work: (pod: ObservedPod) => PodWork = () => ({});
  runner!: Runner;
  store!: Store;
  app!: Routes;
  operations: readonly Operation[] = [];
  /** The objects of the default namespace. */
  objectStore!: ObjectStore;
  artifacts!: ArtifactStores;
  /** What a process that boots from now on is configured with. */
  options: Pick<RunnerOptions, "cache" | "lifecycle"> & Pick<EngineContext, "cacheMaxAgeMs"> = {};
  /** Added to the machine's time. */
  elapsed = 0;
  readonly #watchers = new Set<(event: WatchEvent<KubernetesObject>) => void>();
  #version = 1;
  #stop = new AbortController();
  #database: Database | undefined;
  #embedded: ObjectStore | undefined;
  #processes = 0;
  /** Settles once a process runs. */
  #running = Promise.withResolvers<void>();

  readonly client: Client = {
    ...({} as Client),
    find: (resource, key) => Promise.resolve(this.objects.get(at(resource, key)) as never),
    list: (resource, options) => {
      const [label, value] = (options?.labelSelector ?? "").split("=");
      const items = [...this.objects].filter(
        ([, { kind, metadata }]) => kind === resource.kind && (options?.namespace ?? metadata.namespace) === metadata.namespace,
      );
      const labelled = items
        .map(([, object]) => object)
        .filter(
          ({ metadata }) =>
            label === "" || (value === undefined ? metadata.labels?.[label ?? ""] !== undefined : metadata.labels?.[label ?? ""] === value),
        );
      return Promise.resolve({ apiVersion: "v1", kind: "List", metadata: { resourceVersion: `${this.#version}` }, items: labelled as never[] });
    },
    create: async (resource, object) => {
      const key = at(resource, object.metadata);
      await Promise.resolve();
      if (this.objects.has(key)) throw new ApiError("AlreadyExists", `${key} exists`);
      this.#put(key, object, "ADDED");
      if (resource.kind === "Pod") this.#start(object as never);
      return object;
    },
    delete: (resource, key) => {
      const object = this.objects.get(at(resource, key));
      this.objects.delete(at(resource, key));
      if (object !== undefined)
        this.#send({ type: "DELETED", object: { ...object, metadata: { ...object.metadata, resourceVersion: `${++this.#version}` } } });
      return Promise.resolve(object as never);
    },
    watch: (resource, options) => this.#watch(resource, options) as never,
    log: (pod) => {
      const text = this.logs.get(pod.name);
      return (async function* () {
        if (text === undefined) throw new ApiError("NotFound", `pod ${pod.name} not found`);
        yield new TextEncoder().encode(text);
      })();
    },
  };

  /** Starts the component, as a new process would: nothing but pods and files, as they are at this moment, are left of the one before. */
  async boot(): Promise<void> {
    this.crash();
    this.#stop = new AbortController();
    const [before, home] = [this.#home(this.#processes), this.#home(++this.#processes)];
    if (existsSync(before)) cpSync(before, home, { recursive: true });
    await this.#close();
    this.#database = await openDatabase({ path: join(home, "test.db") });
    this.#embedded = await openDirectoryStore({ directory: join(home, "objects") });
    await this.#database.migrate("pipelines", pipelinesMigrations);
    this.store = new Store(pipelinesDatabase(this.#database));
    const engine: EngineContext = {
      sha256: (text) => createHash("sha256").update(text).digest("hex"),
      settings: {},
      isCacheEnabled: true,
      cacheMaxAgeMs: this.options.cacheMaxAgeMs,
    };
    const logger = {
      info: () => undefined,
      warn: () => undefined,
      error: (message: string, fields?: object) => process.stderr.write(`${message} ${inspect(fields)}\n`),
    };
    const own = this.clock;
    const clock: Clock = { now: () => own.now() + this.elapsed, sleep: (ms, signal) => own.sleep(ms, signal) };
    this.artifacts = new ArtifactStores({ embedded: this.#embedded, client: this.client });
    this.objectStore = this.artifacts.of("kubeflow");
    const shared = { store: this.store, client: this.client, objects: this.artifacts, clock, logger, signal: this.#stop.signal };
    const { cache, lifecycle } = this.options;
    this.runner = new Runner({ ...shared, engine, cache, lifecycle });
    const gate = {
      authorize: (_identity: unknown, action: Action) => {
        this.asked.push(action);
        if (this.forbidden.has(action.namespace ?? "")) return Promise.reject(new ApiError("Forbidden", `not in ${action.namespace}`));
        return Promise.resolve();
      },
    };
    const { api, operations, metrics } = pipelineRoutes({ ...shared, runner: this.runner, gate, newId: randomUUID, timeZone: "UTC" });
    const app = new Hono<RouteEnvironment>();
    app.use(async (context, next) => {
      context.set("identity", LOCAL_USER);
      await next();
    });
    app.route("/", api);
    app.route("/metrics", metrics);
    this.operations = operations;
    this.app = app;
    void runManager({ client: this.client, controllers: [runPods(this.runner)], clock, logger, signal: this.#stop.signal });
    await this.runner.start();
    await new Scheduler({ ...shared, runner: this.runner, sha256: engine.sha256, timeZone: "UTC" }).start();
    if (lifecycle !== undefined) await new Upkeep({ ...shared, runner: this.runner, settings: lifecycle }).start();
    this.#running.resolve();
  }

  /** The end of a process without a word. */
  crash(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#running = Promise.withResolvers();
  }

  #home(process: number): string {
    return join(this.directory, String(process));
  }

  async #close(): Promise<void> {
    await this.#database?.[Symbol.asyncDispose]();
    await this.#embedded?.[Symbol.asyncDispose]();
  }

  /** What the agent of a pod does: the death of the process that it reports to is its own, and then it begins again. */
  async #report(report: TaskReport, namespace: string): Promise<void> {
    for (;;) {
      await this.#running.promise;
      const stop = this.#stop;
      try {
        await this.runner.report(report, namespace);
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
      if (!stop.signal.aborted) return;
    }
  }

  pods(): ObservedPod[] {
    return [...this.objects.values()].filter(({ kind }) => kind === "Pod") as ObservedPod[];
  }

  /** What a pod's node and agent do, in the order in which they do it. */
  #start(pod: ObservedPod): void {
    this.created.push(pod.metadata.name);
    const { exitCode = 0, parameters = {}, artifacts = [], files = {}, log = "", imageId, waits, hangs = false } = this.work(pod);
    this.logs.set(pod.metadata.name, log);
    const labels = pod.metadata.labels ?? {};
    const set = (status: NonNullable<ObservedPod["status"]>): void => {
      const key = at(PODS, pod.metadata);
      if (!this.objects.has(key)) return;
      this.#put(key, { ...pod, status } as ObservedPod, "MODIFIED");
    };
    const act = async (): Promise<void> => {
      if (waits !== undefined) return set({ phase: "Pending", containerStatuses: [{ name: "main", state: { waiting: waits } }] });
      set({ phase: "Running" });
      if (hangs) return;
      if (exitCode === 0) {
        await Promise.all(Object.entries(files).map(([uri, bytes]) => this.artifacts.of(pod.metadata.namespace ?? "").put(uri, bytes)));
        const report = {
          runId: labels[RUN_LABEL] ?? "",
          taskId: labels[TASK_LABEL] ?? "",
          attempt: Number(labels[ATTEMPT_LABEL]),
          parameters,
          artifacts,
          problems: [],
        };
        const isReported = await this.#report(report, pod.metadata.namespace ?? "").then(
          () => true,
          () => false,
        );
        if (!isReported) return set({ phase: "Failed" });
      }
      set({
        phase: exitCode === 0 ? "Succeeded" : "Failed",
        containerStatuses: [
          {
            name: "main",
            state: { terminated: { exitCode, reason: exitCode === 0 ? "Completed" : "Error" } },
            ...(imageId === undefined ? {} : { imageID: imageId }),
          },
        ],
      });
    };
    setImmediate(() => void act());
  }

  #put(key: string, object: KubernetesObject, type: "ADDED" | "MODIFIED"): void {
    const next = { ...object, metadata: { ...object.metadata, uid: object.metadata.name, resourceVersion: `${++this.#version}` } };
    this.objects.set(key, next);
    this.#send({ type, object: next });
  }

  #send(event: WatchEvent<KubernetesObject>): void {
    if (event.object.kind === "Pod") for (const send of this.#watchers) send(event);
  }

  async *#watch({ kind }: Pick<Resource, "kind">, { sendInitialEvents, signal }: WatchOptions = {}): AsyncGenerator<WatchEvent<KubernetesObject>> {
    const events: WatchEvent<KubernetesObject>[] = [];
    if (sendInitialEvents === true) {
      for (const object of this.objects.values()) if (object.kind === kind) events.push({ type: "ADDED", object });
      const annotations = { "k8s.io/initial-events-end": "true" };
      events.push({ type: "BOOKMARK", object: { apiVersion: "v1", kind, metadata: { name: "", resourceVersion: `${this.#version}`, annotations } } });
    }
    let wake = (): void => undefined;
    const send = (event: WatchEvent<KubernetesObject>): void => {
      events.push(event);
      wake();
    };
    this.#watchers.add(send);
    signal?.addEventListener("abort", () => wake());
    try {
      while (signal?.aborted !== true) {
        const event = events.shift();
        if (event === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield event;
      }
    } finally {
      this.#watchers.delete(send);
    }
  }

  async request(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: never }> {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await this.app.request(path, init);
    return { status: response.status, body: (await response.json()) as never };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.crash();
    await new Promise((resolve) => setImmediate(resolve));
    await this.#close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function at(resource: Pick<Resource, "group" | "version" | "plural">, { namespace, name }: ObjectKey): string {
  return pathOf(resource, { namespace, name });
}
