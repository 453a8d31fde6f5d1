import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { createPipelinesClient, type JsonValue, type Pipeline, type PipelinesClient } from "@sluice/sdk";
import { serveGateway, type Gateway } from "../../../gateway/src/index.ts";
import { ATTEMPT_LABEL, RUN_LABEL, TASK_LABEL } from "../../../pipelines/src/engine/index.ts";
import type { ObservedPod } from "../../../pipelines/src/runner/kinds.ts";
import { World, type PodWork } from "../../../pipelines/src/world.fixture.ts";

const DIST = fileURLToPath(new URL("../../dist", import.meta.url));

/** The real gateway and pipelines component over a world of pods that do what a test says. */
export class Server {
  readonly world: World = new World();
  /** Pods that go on until `release`. */
  readonly #held = new Set<string>();
  #gateway: Gateway | undefined;
  #port = 0;

  constructor() {
    const { client } = this.world;
    const read = client.log;
    // A running pod's log stays open, as a node keeps it.
    const log: typeof read = (pod, options = {}) => {
      const isOpen = options.follow === true && [...this.#held].some((text) => pod.name.includes(text));
      return (async function* () {
        yield* read(pod, options);
        if (isOpen) await new Promise<void>((resolve) => options.signal?.addEventListener("abort", () => resolve()));
      })();
    };
    Object.assign(client, { log });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get client(): PipelinesClient {
    return createPipelinesClient({ host: this.url });
  }

  async start(): Promise<void> {
    if (this.world.app === undefined) await this.world.boot();
    const logger = {
      info: () => undefined,
      warn: () => undefined,
      error: (message: string, fields?: object) => process.stderr.write(`${message} ${inspect(fields)}\n`),
    };
    this.#gateway = await serveGateway({
      host: "127.0.0.1",
      port: this.#port,
      routes: [{ paths: ["/apis/v2beta1"], app: this.world.app }],
      dashboard: DIST,
      about: { version: "0.1.0", components: ["pipelines"] },
      logger,
    });
    this.#port = this.#gateway.port;
  }

  /** As if the process had ended; the port stays reserved for the next `start`. */
  async stop(): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
    this.#gateway = undefined;
  }

  async submit(name: string, pipeline: Pipeline, parameters: Record<string, JsonValue> = {}): Promise<string> {
    return (await this.client.submit({ pipeline, name, parameters, experiment: "demo" })).run_id;
  }

  /** Lets pods whose name contains `text` run until they are released. */
  hold(text: string): void {
    this.#held.add(text);
  }

  isHeld(pod: ObservedPod): boolean {
    return [...this.#held].some((text) => pod.metadata.name.includes(text));
  }

  /** Ends the running pods whose name contains `text` as `work` says. */
  async release(text: string, work: PodWork = {}): Promise<void> {
    this.#held.delete(text);
    const { exitCode = 0, parameters = {}, artifacts = [], log } = work;
    for (const pod of this.world.pods()) {
      const { name, labels = {} } = pod.metadata;
      if (!name.includes(text) || pod.status?.phase !== "Running") continue;
      if (log !== undefined) this.world.logs.set(name, log);
      const task = { runId: labels[RUN_LABEL] ?? "", taskId: labels[TASK_LABEL] ?? "", attempt: Number(labels[ATTEMPT_LABEL]) };
      if (exitCode === 0) await this.world.runner.report({ ...task, parameters, artifacts, problems: [] }, pod.metadata.namespace ?? "");
      const terminated = { exitCode, reason: exitCode === 0 ? "Completed" : "Error" };
      this.world.runner.observe({
        ...pod,
        status: { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses: [{ name: "main", state: { terminated } }] },
      } as ObservedPod);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.world[Symbol.asyncDispose]();
  }
}
