import { setImmediate as nextTurn } from "node:timers/promises";
import type { Client } from "@sluice/client";
import { createEventRecorder, keyOf, runManager, type Clock, type Logger } from "@sluice/controller";
import { jsonEqual, type Namespace, type Node, type Pod } from "@sluice/kubernetes";
import { Binder } from "./binder.ts";
import { ClaimBook } from "./claim-book.ts";
import { ClusterState } from "./cluster-state.ts";
import { EquivalenceCache } from "./equivalence-cache.ts";
import { GangMembers, placeGang } from "./gangs.ts";
import { pendingPod, type PendingPod } from "./pending-pod.ts";
import { demandOf } from "./pod-demand.ts";
import { minMemberOf, type PodGroup } from "./pod-group.ts";
import { podGroupController } from "./pod-group-controller.ts";
import { Reporter } from "./reporter.ts";
import { describeFailure, type Failure, type Placement } from "./schedule.ts";
import { openSources, type Sources } from "./sources.ts";
import { SchedulingQueue, type Hint, type Unit } from "./scheduling-queue.ts";
import { hintOf, volumeHintOf } from "./unit-hint.ts";

/** Its own, and the one for which groups of pods ask elsewhere. */
const SCHEDULER_NAMES: ReadonlySet<string> = new Set(["default-scheduler", "scheduler-plugins-scheduler"]);
const COMPONENT = "default-scheduler";
/** How many bindings may be under way. */
const BINDERS = 64;
/** For how long the scheduler works before others get their turn. */
const TURN_MS = 10;

/** What the scheduler needs. */
interface SchedulerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Gives every pod of `default-scheduler` a node, and says of groups of pods how far they have come, until the signal aborts. */
export async function runScheduler(options: SchedulerOptions): Promise<void> {
  // By itself, so that a cluster whose administrator has deleted the definition of pod groups misses nothing else.
  await Promise.all([new Scheduler(options).run(), runManager({ ...options, controllers: [podGroupController()] })]);
}

class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #reporter: Reporter;
  readonly #sources: Sources;
  readonly #claims: ClaimBook;
  readonly #binder: Binder;
  readonly #state = new ClusterState();
  readonly #cache = new EquivalenceCache(this.#state);
  readonly #queue = new SchedulingQueue();
  readonly #gangs = new GangMembers();
  /** Pods that have changed since they were last looked at, as they are now; undefined is gone. */
  readonly #changed = new Map<string, Pod | undefined>();
  /** The pods that are counted on a node, and in which generation. */
  readonly #counted = new Map<string, { readonly node: string; readonly generation: number | undefined }>();
  /** The pods that are counted on a node though the API does not say yet that they are there. */
  readonly #assumed = new Set<string>();
  /** Nodes that offer more than before. */
  readonly #improved = new Set<string>();
  /** Whether something has changed that matters to pods to which others matter. */
  #isMoved = false;
  #wake: () => void = () => {};

  constructor(options: SchedulerOptions) {
    this.#options = options;
    const events = createEventRecorder({ ...options, component: COMPONENT });
    this.#reporter = new Reporter({ ...options, events, find: (uid) => this.#queue.get(uid)?.pod, isWaiting });
    this.#sources = openSources(options, {
      node: (before, after) => this.#nodeChanged(before, after),
      namespace: (before, after) => this.#namespaceChanged(before, after),
      pod: (before, after) => this.#podChanged(before, after),
      group: (before, after) => this.#groupChanged(before, after),
      claim: (before, after) => {
        this.#claims.changed(before, after);
        this.#hint(volumeHintOf);
      },
      volumes: () => this.#hint(volumeHintOf),
    });
    this.#claims = new ClaimBook(this.#sources);
    this.#binder = new Binder({
      ...{ ...options, events, claims: this.#claims },
      failed: (pending) => this.#bindingFailed(pending),
      retry: (pending) => this.#tryAgain(pending),
      done: () => this.#wake(),
    });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    const running = [this.#sources.run(), this.#reporter.run()];
    await this.#sources.synced;
    await this.#schedule();
    await Promise.all([...running, this.#binder.settled()]);
  }

  /** Places pods as long as any can be, then waits until something changes. */
  async #schedule(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      const end = clock.now() + TURN_MS;
      const isOver = (): boolean => clock.now() >= end;
      // All that is known comes first: what is half placed, or more urgent, may be the last to be heard of.
      if (!this.#takeIn(isOver)) {
        await nextTurn();
        continue;
      }
      this.#wakeUnits();
      let unit = this.#queue.next(clock.now());
      for (; unit !== undefined && this.#binder.size < BINDERS && this.#changed.size === 0; unit = this.#queue.next(clock.now())) {
        this.#place(unit);
        if (isOver()) break;
      }
      for (const { uid, message } of this.#queue.takeUntold()) this.#reporter.tell(uid, message);
      if (unit === undefined && !this.#isMoved) await this.#change();
      else if (this.#binder.size >= BINDERS) await this.#change();
      else await nextTurn();
    }
  }

  /** Resolves when something has changed that matters, or a rest is over. */
  async #change(): Promise<void> {
    if (this.#changed.size > 0 || this.#improved.size > 0) return;
    const { clock, signal } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const retry = this.#queue.nextRetry;
    if (retry === undefined) return promise;
    const woken = new AbortController();
    void promise.then(() => woken.abort());
    await Promise.race([promise, clock.sleep(Math.max(0, retry - clock.now()), AbortSignal.any([signal, woken.signal]))]);
  }

  /** Looks at the pods that have changed; whether that was all of them. */
  #takeIn(isOver: () => boolean): boolean {
    for (const [uid, pod] of this.#changed) {
      this.#changed.delete(uid);
      try {
        this.#take(uid, pod);
      } catch (error) {
        // What one pod gets wrong, such as an amount that is none, must not stop the others.
        const { namespace, name } = pod?.metadata ?? {};
        this.#options.logger.warn("the scheduler cannot read a pod and leaves it out", { namespace, name, error });
      }
      if (isOver()) return this.#changed.size === 0;
    }
    return true;
  }

  #take(uid: string, pod: Pod | undefined): void {
    const isFailed = pod?.status?.phase === "Failed";
    const group = pod === undefined || isFailed ? this.#gangs.forget(uid) : this.#gangs.note(pod, isPlaced(pod) || this.#assumed.has(uid));
    this.#judgeGang(group);
    if (pod === undefined || isFailed || pod.status?.phase === "Succeeded") {
      this.#queue.remove(uid);
      this.#assumed.delete(uid);
      this.#release(uid);
      return;
    }
    const node = pod.spec.nodeName ?? "";
    if (node !== "") {
      this.#queue.remove(uid);
      this.#assumed.delete(uid);
      const { generation } = pod.metadata;
      const counted = this.#counted.get(uid);
      if (counted?.node === node && counted.generation === generation && this.#state.isAssigned(uid)) return;
      this.#counted.set(uid, { node, generation });
      this.#state.assign(uid, node, demandOf(pod));
      this.#isMoved = true;
      if (counted?.node === node && counted.generation !== undefined) this.#improved.add(node); // It may ask for less than before.
      return;
    }
    if (this.#assumed.has(uid)) return; // Its binding is under way.
    if (isWaiting(pod)) this.#queue.add(pendingPod(pod));
    else this.#queue.remove(uid);
    this.#judgeGang(group);
  }

  #release(uid: string): void {
    this.#counted.delete(uid);
    const node = this.#state.release(uid);
    if (node !== undefined) this.#improved.add(node);
  }

  #place(unit: Unit): void {
    if (unit.group !== undefined) {
      this.#placeGang(unit, unit.group);
      return;
    }
    const [pending] = unit.pods.values();
    if (pending === undefined) throw new Error("a unit of the queue has no pods");
    const placement = this.#find(pending);
    if ("failure" in placement) {
      this.#fail(unit, pending, placement.failure);
      return;
    }
    this.#assume(pending, placement.node);
    this.#binder.bind(pending, placement.node);
  }

  /** All that are needed, or none: their bindings are written together. */
  #placeGang(unit: Unit, name: string): void {
    const pods = [...unit.pods.values()];
    const [first] = pods;
    if (first === undefined) throw new Error("a unit of the queue has no pods");
    const group = this.#sources.groups.get(name);
    if (group === undefined) {
      this.#fail(unit, first, { blocked: "PodGroup not found" });
      return;
    }
    const [size, minMember] = [this.#gangs.size(name), minMemberOf(group)];
    if (size < minMember) {
      const current = `current pods number: ${size}, minMember of group: ${minMember}`;
      this.#fail(unit, first, { blocked: `pre-filter pod ${first.pod.metadata.name} cannot find enough sibling pods, ${current}` });
      return;
    }
    const before = this.#gangs.placed(name);
    const placement = placeGang(pods, {
      needed: minMember - before,
      place: (pending) => this.#find(pending),
      assign: (pending, node) => this.#state.assign(pending.uid, node, pending.demand),
      release: ({ uid }) => this.#state.release(uid),
    });
    if ("refused" in placement) {
      const { refused, fitting } = placement;
      if (before >= minMember) {
        this.#fail(unit, refused.pending, refused.failure);
        return;
      }
      const rejection = `PodGroup ${name} gets rejected due to Pod ${refused.pending.pod.metadata.name} is unschedulable even after PostFilter`;
      this.#fail(unit, refused.pending, refused.failure, ` ${rejection}: ${before + fitting} of at least ${minMember} fit`);
      return;
    }
    for (const { pending, node } of placement.placed) {
      this.#assume(pending, node);
      this.#binder.bind(pending, node);
    }
    if (placement.rest !== undefined) this.#fail(unit, placement.rest.pending, placement.rest.failure);
  }

  #find({ demand, signature }: PendingPod): Placement {
    if (demand.claims.length === 0) return this.#cache.place(signature, demand);
    const verdict = this.#claims.judge(demand);
    return "blocked" in verdict ? { failure: verdict } : this.#cache.place(signature, demand, verdict.rules);
  }

  #fail(unit: Unit, { demand }: PendingPod, failure: Failure, more = ""): void {
    const message = describeFailure(failure, this.#state.nodes.length, demand.spec.preemptionPolicy);
    this.#queue.fail(unit, message + more, this.#options.clock.now());
  }

  #assume({ uid, pod, demand }: PendingPod, node: string): void {
    this.#queue.remove(uid);
    this.#state.assign(uid, node, demand);
    this.#counted.set(uid, { node, generation: undefined });
    this.#assumed.add(uid);
    this.#judgeGang(this.#gangs.note(pod, true));
    this.#isMoved = true;
    this.#claims.choose(demand, node);
  }

  /** A pod could not be bound: unless its events have said meanwhile where it is, it is nowhere. */
  #bindingFailed({ uid, pod }: PendingPod): void {
    if (!this.#assumed.delete(uid)) return;
    this.#release(uid);
    this.#judgeGang(this.#gangs.note(pod, false));
  }

  /** A pod whose binding failed is tried again, if it still waits. */
  #tryAgain({ uid, pod }: PendingPod): void {
    const latest = this.#sources.pods.get(keyOf(pod.metadata));
    if (latest?.metadata.uid === uid && !this.#changed.has(uid)) this.#changed.set(uid, latest);
  }

  /** A group of which some have a node and others must follow is not left half placed. */
  #judgeGang(name: string | undefined): void {
    if (name === undefined) return;
    const group = this.#sources.groups.get(name);
    const placed = this.#gangs.placed(name);
    this.#queue.setUrgent(name, group !== undefined && placed > 0 && placed < minMemberOf(group));
  }

  /** Lets those be tried again to whom what has changed may matter. */
  #wakeUnits(): void {
    const improved = [...this.#improved].flatMap((name) => this.#state.node(name) ?? []);
    const isMoved = this.#isMoved;
    if (improved.length === 0 && this.#improved.size === 0 && !isMoved) return;
    this.#improved.clear();
    this.#isMoved = false;
    this.#queue.wake((unit) => hintOf(unit, improved, isMoved));
  }

  #hint(hint: (unit: Unit) => Hint): void {
    this.#queue.wake(hint);
    this.#wake();
  }

  #nodeChanged(before: Node | undefined, after: Node | undefined): void {
    if (after !== undefined && before !== undefined && isSameOffer(before, after)) return;
    const name = (after ?? before)?.metadata.name ?? "";
    this.#state.setNode(name, after);
    // A node less changes at least what is said of those that wait.
    if (after === undefined) this.#hint(() => "look");
    this.#improved.add(name);
    this.#wake();
  }

  #namespaceChanged(before: Namespace | undefined, after: Namespace | undefined): void {
    if (before !== undefined && after !== undefined && jsonEqual(before.metadata.labels, after.metadata.labels)) return;
    this.#state.setNamespace((after ?? before)?.metadata.name ?? "", after === undefined ? undefined : (after.metadata.labels ?? {}));
    this.#isMoved = true;
    this.#wake();
  }

  #groupChanged(before: PodGroup | undefined, after: PodGroup | undefined): void {
    const { metadata } = after ?? before ?? {};
    if (metadata === undefined || (before !== undefined && after !== undefined && minMemberOf(before) === minMemberOf(after))) return;
    const name = keyOf(metadata);
    this.#judgeGang(name);
    this.#hint(({ group }) => (group === name ? "fits" : "no"));
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    this.#changed.set((after ?? before)?.metadata.uid ?? "", after);
    this.#wake();
  }
}

/** Whether this scheduler has to find a node for the pod. */
function isWaiting({ metadata, spec }: Pod): boolean {
  return (
    SCHEDULER_NAMES.has(spec.schedulerName ?? "") &&
    (spec.nodeName ?? "") === "" &&
    (spec.schedulingGates ?? []).length === 0 &&
    metadata.deletionTimestamp === undefined
  );
}

function isPlaced({ spec }: Pod): boolean {
  return (spec.nodeName ?? "") !== "";
}

/** Whether a node's change, such as a heartbeat, makes no difference to who fits on it. */
function isSameOffer(a: Node, b: Node): boolean {
  const offer = ({ metadata, spec, status }: Node): unknown => [metadata.labels, spec?.taints, spec?.unschedulable, status?.allocatable];
  return jsonEqual(offer(a), offer(b));
}
