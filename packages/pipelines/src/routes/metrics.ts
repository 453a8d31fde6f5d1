import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { hasEnded, type TaskRecord } from "../engine/types.ts";
import { EVERY_RUN } from "../runner/run-notices.ts";
import type { Runner } from "../runner/runner.ts";
import type { Store } from "../store/store.ts";
import type { Observe } from "./api.ts";

const RUN_STATES = ["PENDING", "RUNNING", "CANCELING", "SUCCEEDED", "FAILED", "CANCELED"];
const OPEN_STATES = ["PENDING", "RUNNING"];
const STEP_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** What Prometheus is told: none of its labels has more values than the code names. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #tasks: Counter<"state">;
  readonly #cacheHits: Counter;
  readonly #cacheMisses: Counter;
  readonly #queued: Histogram;
  readonly #ran: Histogram;
  readonly #requests: Histogram<"operation" | "code">;

  constructor(store: Store, runner: Pick<Runner, "subscribe">) {
    const registers = [this.#registry];
    const prefix = "sluice_pipelines";
    new Gauge({
      ...{ name: `${prefix}_runs`, help: "Runs by state.", labelNames: ["state"], registers },
      async collect() {
        for (const state of RUN_STATES) this.set({ state }, 0);
        for (const { state, count } of await store.runs.countByState()) this.set({ state }, Number(count));
      },
    });
    new Gauge({
      ...{ name: `${prefix}_open_tasks`, help: "Tasks of runs that go on, by state, unless they have ended.", labelNames: ["state"], registers },
      async collect() {
        for (const state of OPEN_STATES) this.set({ state }, 0);
        for (const { state, count } of await store.tasks.countOpen()) if (OPEN_STATES.includes(state)) this.set({ state }, Number(count));
      },
    });
    this.#tasks = new Counter({ name: `${prefix}_tasks_total`, help: "Tasks that have ended, by state.", labelNames: ["state"], registers });
    this.#cacheHits = new Counter({ name: `${prefix}_cache_hits_total`, help: "Tasks that took an earlier result.", registers });
    this.#cacheMisses = new Counter({
      name: `${prefix}_cache_misses_total`,
      help: "Tasks that might have taken an earlier result, and ran.",
      registers,
    });
    const seconds = { buckets: STEP_SECONDS, registers };
    this.#queued = new Histogram({ name: `${prefix}_step_queue_seconds`, help: "From a step's turn to the start of its container.", ...seconds });
    this.#ran = new Histogram({ name: `${prefix}_step_run_seconds`, help: "From the start of a step's container to the step's end.", ...seconds });
    this.#requests = new Histogram({
      ...{ name: `${prefix}_request_seconds`, help: "Requests of the REST API, until their answer begins.", labelNames: ["operation", "code"] },
      ...{ buckets: REQUEST_SECONDS, registers },
    });
    runner.subscribe(EVERY_RUN, ({ tasks }) => {
      for (const task of tasks) if (hasEnded(task.state)) this.#ended(task);
    });
  }

  /** Hears of a request. */
  readonly observe: Observe = ({ id }, status, seconds) => this.#requests.observe({ operation: id, code: `${Math.trunc(status / 100)}xx` }, seconds);

  /** The text that Prometheus reads, and its content type. */
  async read(): Promise<{ readonly text: string; readonly contentType: string }> {
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }

  #ended({ kind, state, fingerprint, createdAt, startedAt, endedAt }: TaskRecord): void {
    this.#tasks.inc({ state });
    if (state === "CACHED") this.#cacheHits.inc();
    else if (fingerprint !== undefined && kind === "RUNTIME") this.#cacheMisses.inc();
    if (kind !== "RUNTIME" || startedAt === undefined) return;
    this.#queued.observe(Math.max(0, startedAt - createdAt) / 1000);
    if (endedAt !== undefined) this.#ran.observe(Math.max(0, endedAt - startedAt) / 1000);
  }
}
