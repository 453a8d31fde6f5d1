import type { Duplex } from "node:stream";
import type { LogOptions, RemoteCommand } from "@sluice/client";
import { ApiError, jsonEqual, type Pod } from "@sluice/kubernetes";
import type { AttachOptions, ExecOptions } from "../../api-server/api-server.ts";
import { environmentReferences } from "../environment/environment.ts";
import type { Reference } from "../environment/references.ts";
import type { ObservedPod } from "../lifecycle/observed-pod.ts";
import { planPod, type PodAction } from "../lifecycle/pod-lifecycle.ts";
import type { NodeContext } from "../node-context.ts";
import { tellOf } from "./pod-events.ts";
import { PodDirectory } from "../runtime/pod-directory.ts";
import { overfullVolume } from "../volumes/volume-usage.ts";
import { volumeReferences } from "../volumes/payload-source.ts";
import { adoptContainer, killPod, type Adopted } from "./adopt-containers.ts";
import { ContainerRunner } from "./container-runner.ts";
import { dialPod } from "./dial-pod.ts";
import { notRunning } from "./not-running.ts";
import { openPodLog } from "./pod-log.ts";
import { PodReporter } from "./pod-reporter.ts";
import { PodSetup } from "./pod-setup.ts";
import type { RunnerHost } from "./runner-host.ts";
import { statusEvents } from "./status-events.ts";

/** What a worker starts with. */
export interface PodWorkerOptions {
  readonly node: NodeContext;
  /** Why the node will not run this pod. */
  readonly refused?: { readonly reason: string; readonly message: string } | undefined;
  /** Nothing of the pod is left. */
  readonly onGone: () => void;
}

/** Keeps one pod as its object says: observes, lets `planPod` decide, carries that out, and reports the status. */
export class PodWorker {
  readonly uid: string;
  readonly #node: NodeContext;
  readonly #options: PodWorkerOptions;
  readonly #directory: PodDirectory;
  readonly #setup: PodSetup;
  readonly #runners = new Map<string, ContainerRunner>();
  readonly #reporter: PodReporter;
  readonly #startTime: number;
  #pod: Pod;
  #refused: PodWorkerOptions["refused"];
  #stopSince: number | undefined;
  #references = 0;
  #isReady = false;
  readonly #lifetime = new AbortController();
  #going: Promise<void> | undefined;
  readonly #resumed: Promise<void>;
  #step: NodeJS.Immediate | undefined;
  #timer: AbortController | undefined;

  constructor(pod: Pod, options: PodWorkerOptions) {
    const { node } = options;
    this.uid = pod.metadata.uid ?? "";
    this.#pod = pod;
    this.#node = node;
    this.#options = options;
    this.#refused = options.refused;
    this.#directory = new PodDirectory(node.directory, this.uid);
    this.#startTime = pod.status?.startTime === undefined ? (this.#directory.madeAt ?? node.clock.now()) : Date.parse(pod.status.startTime);
    this.#setup = new PodSetup({
      ...{ node, directory: this.#directory, pod: () => this.#pod, changed: () => this.wake() },
      tell: (event) => tellOf(node.events, this.#pod, event),
    });
    this.#reporter = new PodReporter({ node, pod: () => this.#pod, accept: (accepted) => this.#accept(accepted), signal: this.#lifetime.signal });
    this.#resumed = this.#directory.isDone ? Promise.resolve() : this.#resume().catch((error: unknown) => this.#failed("adopt", error));
  }

  /** Takes a newer version of the pod; an older one, such as the echo of our own write, is not news. */
  update(pod: Pod): void {
    if (Number(pod.metadata.resourceVersion) <= Number(this.#pod.metadata.resourceVersion)) return;
    const hasNewMeta =
      !jsonEqual(pod.metadata.labels, this.#pod.metadata.labels) || !jsonEqual(pod.metadata.annotations, this.#pod.metadata.annotations);
    this.#pod = pod;
    if (hasNewMeta) this.#setup.refreshPodFiles();
    this.wake();
  }

  /** Something that the pod refers to has come, changed or gone. */
  referenceChanged(): void {
    this.#references++;
    for (const runner of this.#runners.values()) runner.retry();
    this.#setup.referenceChanged();
  }

  /** The config maps, secrets and claims that the pod refers to. */
  references(): readonly (Pick<Reference, "name"> & { readonly kind: Reference["kind"] | "PersistentVolumeClaim" })[] {
    const volumes = this.#pod.spec.volumes ?? [];
    return [
      ...this.#containers().flatMap(environmentReferences),
      ...volumes.flatMap(volumeReferences),
      ...volumes.flatMap(({ persistentVolumeClaim: claim }) =>
        claim === undefined ? [] : [{ kind: "PersistentVolumeClaim" as const, name: claim.claimName }],
      ),
    ];
  }

  /** Looks after supervisors that somebody has killed, and after volumes that have become too large. */
  check(): void {
    for (const runner of this.#runners.values()) runner.check();
    if (this.#setup.state.state === "ready" && !this.isOver) void this.#checkVolumes().catch((error: unknown) => this.#failed("volume check", error));
  }

  async #checkVolumes(): Promise<void> {
    const message = await overfullVolume(this.#pod.spec.volumes ?? [], this.#setup.volumes);
    if (message === undefined || this.#refused !== undefined) return;
    this.#refused = { reason: "Evicted", message };
    tellOf(this.#node.events, this.#pod, { type: "Warning", ...this.#refused });
    this.wake();
  }

  async log(options: LogOptions): Promise<AsyncIterable<Uint8Array>> {
    await this.#resumed;
    if (this.#runners.size === 0) this.#adopt();
    const name = options.container ?? this.#pod.spec.containers[0]?.name ?? "";
    const runner = this.#runners.get(name);
    return openPodLog(
      { pod: this.#pod, container: name, directory: this.#directory, state: runner?.state, ended: runner?.ended, now: this.#node.clock.now() },
      options,
    );
  }

  async exec(options: ExecOptions): Promise<RemoteCommand> {
    return (await this.#runnerOf(options.container)).exec(options);
  }

  async attach(options: AttachOptions): Promise<RemoteCommand> {
    return (await this.#runnerOf(options.container)).attach(options);
  }

  /** Connects with a port of the pod. */
  async dial(port: number): Promise<Duplex> {
    await this.#resumed;
    const { sandbox } = this.#setup;
    if (sandbox === undefined) throw new ApiError("InternalError", `pod ${this.#pod.metadata.name} does not run`);
    return dialPod(sandbox, port);
  }

  async #runnerOf(container: string): Promise<ContainerRunner> {
    await this.#resumed;
    const runner = this.#runners.get(container);
    if (runner === undefined) throw notRunning(container);
    return runner;
  }

  /** The object is gone: whatever is left of the pod goes at once. */
  gone(): Promise<void> {
    this.#going ??= this.#remove();
    return this.#going;
  }

  async #remove(): Promise<void> {
    this.#cease();
    for (const runner of this.#runners.values()) runner.kill();
    await this.#setup.remove();
    killPod(this.#directory);
    for (const runner of this.#runners.values()) runner.release();
    await this.#reporter.settle();
    await this.#directory.remove();
    this.#options.onGone();
  }

  /** Leaves the pod running, for the next node to adopt. */
  async release(): Promise<void> {
    this.#cease();
    this.#setup.release();
    for (const runner of this.#runners.values()) runner.release();
    await this.#reporter.settle();
    await this.#going;
  }

  /** Has the plan made anew, once for all that happens in this turn. */
  wake(): void {
    if (this.#lifetime.signal.aborted || !this.#isReady) return;
    this.#step ??= setImmediate(() => {
      this.#step = undefined;
      this.#advance();
    });
  }

  /** Decides nothing any more. */
  #cease(): void {
    this.#lifetime.abort("ceased");
    clearImmediate(this.#step);
    this.#timer?.abort("ceased");
  }

  #containers(): readonly Pod["spec"]["containers"][number][] {
    return [...(this.#pod.spec.initContainers ?? []), ...this.#pod.spec.containers];
  }

  /** Its object says that it has ended. */
  get isOver(): boolean {
    return this.#pod.status?.phase === "Succeeded" || this.#pod.status?.phase === "Failed";
  }

  #host(): RunnerHost {
    const pod = (): Pod => this.#pod;
    const references = (): number => this.#references;
    const setup = this.#setup;
    return {
      node: this.#node,
      directory: this.#directory,
      get sandbox() {
        return setup.sandbox;
      },
      get surroundings() {
        return { pod: pod(), podIp: setup.podIp ?? "", volumes: setup.volumes };
      },
      get pod() {
        return pod();
      },
      get references() {
        return references();
      },
      changed: () => this.wake(),
      tell: (event) => tellOf(this.#node.events, this.#pod, event),
      noteProfile: (container, profile) => this.#reporter.noteProfile(container, profile),
    };
  }

  /** Finds out what earlier runs of the program have left of the containers. */
  #adopt(): ReadonlyMap<string, Adopted> {
    const { journal, clock } = this.#node;
    const host = this.#host();
    const adopted = new Map<string, Adopted>();
    for (const container of this.#containers()) {
      const found = adoptContainer(container, this.#directory, journal.entriesOf(this.uid), clock.now());
      adopted.set(container.name, found);
      this.#runners.set(container.name, new ContainerRunner(container, host, found));
    }
    return adopted;
  }

  /** What was under way when the program last ended goes on, before anything is decided. */
  async #resume(): Promise<void> {
    const adopted = this.#adopt();
    const isUnderWay = [...adopted.values()].some(({ last }) => last !== undefined && last.state.is !== "told");
    if (isUnderWay && !(this.isOver && [...adopted.values()].every(({ last }) => last?.state.is !== "running"))) {
      await this.#setup.resume();
      const resumed = await Promise.allSettled([...adopted].map(async ([name, found]) => this.#runners.get(name)?.resume(found)));
      for (const outcome of resumed) if (outcome.status === "rejected") this.#failed("adopt", outcome.reason);
    }
    this.#isReady = true;
    this.wake();
  }

  #observe(): ObservedPod {
    const containers = new Map([...this.#runners].map(([name, runner]) => [name, runner.state]));
    const { state, podIp } = this.#setup;
    return {
      startTime: this.#startTime,
      refused: this.#refused,
      setup: state,
      hostIp: this.#node.sandboxes.hostIp,
      podIp,
      containers,
      stopSince: this.#stopSince,
    };
  }

  #advance(): void {
    const { clock, restartBackoff } = this.#node;
    const now = clock.now();
    const plan = planPod(this.#pod, this.#observe(), now, { restartBackoff });
    if (plan.isStopping) this.#stopSince ??= now;
    for (const event of statusEvents(this.#pod, this.#reporter.status, plan.status)) tellOf(this.#node.events, this.#pod, event);
    this.#timer?.abort("replaced");
    this.#timer = undefined;
    if (plan.wakeAt !== undefined) {
      const timer = (this.#timer = new AbortController());
      void clock.sleep(plan.wakeAt - now, timer.signal).then(() => {
        if (!timer.signal.aborted) this.wake();
      });
    }
    this.#reporter.report(this.isOver ? undefined : plan.status);
    for (const action of plan.actions) this.#act(action);
    if (this.isOver && this.#setup.state.state === "removed" && this.#reporter.isReported) this.#directory.markDone();
  }

  #act(action: PodAction): void {
    switch (action.type) {
      case "setUp":
        return this.#setup.setUp();
      case "start":
        return this.#runners.get(action.container)?.start(action);
      case "stop":
        return this.#runners.get(action.container)?.stop(action.killAt);
      case "kill":
        return this.#runners.get(action.container)?.kill();
      case "tearDown":
        return this.#setup.tearDown();
      case "finish":
        // The last status comes first: it is all that remains of the pod for those who wait for it.
        if (this.#reporter.isReported) this.#reporter.finish();
    }
  }

  /** Goes on from what the API answered; a plan for an older version is made anew. */
  #accept(pod: Pod | undefined): void {
    if (pod?.metadata.uid !== this.uid) {
      void this.gone().catch((error: unknown) => this.#failed("remove", error));
      return;
    }
    if (Number(pod.metadata.resourceVersion) >= Number(this.#pod.metadata.resourceVersion)) this.#pod = pod;
    this.wake();
  }

  #failed(what: string, error: unknown): void {
    const { name, namespace } = this.#pod.metadata;
    this.#node.logger.error(`pod ${what} failed`, { pod: name, namespace, error });
  }
}
