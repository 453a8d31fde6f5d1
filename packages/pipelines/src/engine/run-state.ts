import type { JsonValue } from "../domain/ir.ts";
import { componentOf, type Plan, planOf } from "./plan.ts";
import { type ArtifactRecord, hasEnded, type RunInfo, type RunProgress, type TaskId, type TaskRecord } from "./types.ts";

/** What is known of an open graph beyond its records. */
export interface OpenGraph {
  readonly plan: Plan;
  /** How many of the tasks it waits for have not ended, by task that has not started. */
  readonly waiting: Map<string, number>;
  /** Tasks that have started and not ended. */
  running: number;
}

/** What is known of an open loop beyond its records. */
export interface OpenLoop {
  readonly items: readonly LoopItem[];
  /** At most so many iterations at once. */
  readonly limit: number;
  /** The iterations that have not started are those in `turns`, then all from `next` on. */
  readonly turns: number[];
  next: number;
  running: number;
}

/** What an iteration is for. */
export type LoopItem = { readonly value: JsonValue } | { readonly artifact: ArtifactRecord };

/**
 * A run in memory: the stored records and indexes over them, which `advance` changes in place so that an event costs
 * what it changes. Everything that is not a record is computed from the records: after a failed write, restore the run.
 */
export class RunState {
  info: RunInfo;
  progress: RunProgress;
  readonly tasks: Map<TaskId, TaskRecord> = new Map();
  readonly graphs: Map<TaskId, OpenGraph> = new Map();
  readonly loops: Map<TaskId, OpenLoop> = new Map();
  /** Loops that could start more iterations than one event may. */
  readonly behind: Set<TaskId> = new Set();
  /** Whether it has been asked to `proceed`. */
  isProceeding = false;
  /** Tasks in backoff, by when that ends. */
  readonly sleeping: Map<number, Set<TaskId>> = new Map();
  root: TaskId | undefined;
  readonly #children = new Map<TaskId, Map<string, TaskId>>();
  readonly #plans = new Map<string, Plan>();

  constructor(info: RunInfo, progress: RunProgress) {
    this.info = info;
    this.progress = progress;
  }

  /** Adds or replaces a record. */
  put(record: TaskRecord): void {
    const before = this.tasks.get(record.id);
    this.tasks.set(record.id, record);
    if (before?.step === "backoff") this.#wake(before);
    if (record.step === "backoff") this.#sleep(record);
    if (before !== undefined) return;
    if (record.parentId === undefined) {
      this.root = record.id;
      return;
    }
    const siblings = this.#children.get(record.parentId) ?? new Map<string, TaskId>();
    siblings.set(record.iteration === undefined ? record.name : String(record.iteration), record.id);
    this.#children.set(record.parentId, siblings);
  }

  #sleep({ id, retryAt = 0 }: TaskRecord): void {
    const those = this.sleeping.get(retryAt) ?? new Set();
    this.sleeping.set(retryAt, those.add(id));
  }

  #wake({ id, retryAt = 0 }: TaskRecord): void {
    const those = this.sleeping.get(retryAt);
    those?.delete(id);
    if (those?.size === 0) this.sleeping.delete(retryAt);
  }

  /** Puts another pipeline in place of the run's. */
  edit(info: RunInfo): void {
    this.info = info;
    this.#plans.clear();
  }

  /** The record of a task, which must exist. */
  get(id: TaskId): TaskRecord {
    const record = this.tasks.get(id);
    if (record === undefined) throw new Error(`run ${this.info.id} has no task ${id}`);
    return record;
  }

  /** The task of a graph by its name, or of a loop by its index; undefined if it has not been reached. */
  child(parent: TaskId, key: string): TaskRecord | undefined {
    const id = this.#children.get(parent)?.get(key);
    return id === undefined ? undefined : this.tasks.get(id);
  }

  /** All that has been reached of what a graph or loop contains. */
  *children(parent: TaskId): Generator<TaskRecord> {
    for (const id of this.#children.get(parent)?.values() ?? []) yield this.get(id);
  }

  /** The plan of a component's graph. */
  plan(component: string): Plan {
    const known = this.#plans.get(component);
    if (known !== undefined) return known;
    const plan = planOf(this.info.spec, componentOf(this.info.spec, component));
    this.#plans.set(component, plan);
    return plan;
  }

  /** Indexes a graph whose tasks may have begun: what has not ended is open, what has no record or awaits its turn waits. */
  openGraph(record: TaskRecord): OpenGraph {
    const plan = this.plan(record.component);
    const graph: OpenGraph = { plan, waiting: new Map(), running: 0 };
    for (const task of plan.values()) {
      const child = this.child(record.id, task.name);
      if (child !== undefined && hasEnded(child.state)) continue;
      if (child !== undefined && child.step !== "turn") {
        graph.running++;
        continue;
      }
      const unended = task.dependencies.filter((name) => !this.#hasChildEnded(record.id, name));
      graph.waiting.set(task.name, unended.length);
    }
    this.graphs.set(record.id, graph);
    return graph;
  }

  /** Indexes a loop whose iterations may have begun. */
  openLoop(record: TaskRecord, items: readonly LoopItem[], limit: number): OpenLoop {
    const loop: OpenLoop = { items, limit, turns: [], next: 0, running: 0 };
    const count = this.#children.get(record.id)?.size ?? 0;
    for (; loop.next < Math.min(count, items.length); loop.next++) {
      const child = this.child(record.id, String(loop.next));
      if (child === undefined || child.step === "turn") loop.turns.push(loop.next);
      else if (!hasEnded(child.state)) loop.running++;
    }
    this.loops.set(record.id, loop);
    return loop;
  }

  #hasChildEnded(parent: TaskId, name: string): boolean {
    const child = this.child(parent, name);
    return child !== undefined && hasEnded(child.state);
  }
}

/** Whether one more iteration could start. */
export function hasTurns(loop: OpenLoop): boolean {
  return (loop.turns.length > 0 || loop.next < loop.items.length) && !(loop.limit > 0 && loop.running >= loop.limit);
}
