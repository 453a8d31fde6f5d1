import type { LogOptions } from "@sluice/client";
import { isApiError, jsonEqual, Pod, type PodStatus } from "@sluice/kubernetes";
import { environmentReferences } from "../environment/environment.ts";
import type { Reference } from "../environment/references.ts";
import type { ObservedPod } from "../lifecycle/observed-pod.ts";
import { planPod, type PodAction } from "../lifecycle/pod-lifecycle.ts";
import type { NodeContext } from "../node-context.ts";
import { PodDirectory } from "../runtime/pod-directory.ts";
import { volumeReferences } from "../volumes/payload-source.ts";
import { adoptContainer, killPod, type Adopted } from "./adopt-containers.ts";
import { ContainerRunner, type RunnerHost } from "./container-runner.ts";
import { openPodLog } from "./pod-log.ts";
import { PodSetup } from "./pod-setup.ts";
import { statusEvents } from "./status-events.ts";

/** How long to wait before the API is asked again after it failed. */
const RETRY_MS = 1000;
/** The annotation, by container, that says what stands in for its image. */
const PROFILE_ANNOTATION = "image-profile.node.sluice.dev/";

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
  readonly #profiles = new Map<string, string>();
  readonly #startTime: number;
  #pod: Pod;
  #stopSince: number | undefined;
  #references = 0;
  #isReady = false;
  #isGone = false;
  #isReleased = false;
  #step: NodeJS.Immediate | undefined;
  #timer = new AbortController();
  #wanted: PodStatus | undefined;
  #writing: Promise<void> | undefined;
  #isFinishing = false;

  constructor(pod: Pod, options: PodWorkerOptions) {
    const { node } = options;
    this.uid = pod.metadata.uid ?? "";
    this.#pod = pod;
    this.#node = node;
    this.#options = options;
    this.#directory = new PodDirectory(node.directory, this.uid);
    const record = this.#directory.readPod();
    const given = pod.status?.startTime === undefined ? undefined : Date.parse(pod.status.startTime);
    this.#startTime = record?.acceptedAt ?? given ?? node.clock.now();
    if (record === undefined && !this.#isOver()) this.#directory.writePod({ acceptedAt: this.#startTime, pod });
    const setup = new PodSetup({ node, directory: this.#directory, pod: () => this.#pod, changed: () => this.wake(), tell: (event) => node.events.record(this.#pod, event) });
    this.#setup = setup;

    const journal = node.journal.entriesOf(this.uid);
    const adopted = new Map<string, Adopted>();
    const host = this.#host(setup);
    for (const container of this.#containers()) {
      const found = adoptContainer(container, this.#directory, journal, node.clock.now());
      adopted.set(container.name, found);
      this.#runners.set(container.name, new ContainerRunner(container, host, found));
    }
    void this.#resume(adopted).catch((error: unknown) => this.#failed("adopt", error));
  }

  /** The pod as this node last saw or wrote it. */
  get pod(): Pod {
    return this.#pod;
  }

  /** Takes a newer version of the pod; an older one, such as the echo of our own write, is not news. */
  update(pod: Pod): void {
    if (Number(pod.metadata.resourceVersion) <= Number(this.#pod.metadata.resourceVersion)) return;
    const hasNewMeta = !jsonEqual(pod.metadata.labels, this.#pod.metadata.labels) || !jsonEqual(pod.metadata.annotations, this.#pod.metadata.annotations);
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
      ...volumes.flatMap(({ persistentVolumeClaim: claim }) => (claim === undefined ? [] : [{ kind: "PersistentVolumeClaim" as const, name: claim.claimName }])),
    ];
  }

  /** Looks after supervisors that somebody has killed. */
  check(): void {
    for (const runner of this.#runners.values()) runner.check();
  }

  log(options: LogOptions): AsyncIterable<Uint8Array> {
    const name = options.container ?? this.#pod.spec.containers[0]?.name ?? "";
    const runner = this.#runners.get(name);
    return openPodLog({ pod: this.#pod, container: name, directory: this.#directory, state: runner?.state, ended: runner?.ended, now: this.#node.clock.now() }, options);
  }

  /** The object is gone: whatever is left of the pod goes at once. */
  async gone(): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cease();
    for (const runner of this.#runners.values()) runner.kill();
    await this.#setup.remove();
    killPod(this.#directory);
    for (const runner of this.#runners.values()) runner.release();
    await this.#writing;
    this.#directory.remove();
    this.#node.events.forget(this.#pod);
    this.#options.onGone();
  }

  /** Leaves the pod running, for the next node to adopt. */
  async release(): Promise<void> {
    this.#isReleased = true;
    this.#cease();
    this.#setup.release();
    for (const runner of this.#runners.values()) runner.release();
    await this.#writing;
  }

  /** Has the plan made anew, once for all that happens in this turn. */
  wake(): void {
    if (this.#isGone || this.#isReleased || !this.#isReady) return;
    this.#step ??= setImmediate(() => {
      this.#step = undefined;
      this.#advance();
    });
  }

  #cease(): void {
    clearImmediate(this.#step);
    this.#timer.abort();
  }

  #containers(): readonly Pod["spec"]["containers"][number][] {
    return [...(this.#pod.spec.initContainers ?? []), ...this.#pod.spec.containers];
  }

  #isOver(): boolean {
    return this.#pod.status?.phase === "Succeeded" || this.#pod.status?.phase === "Failed";
  }

  #host(setup: PodSetup): RunnerHost {
    const worker = this;
    return {
      node: this.#node,
      directory: this.#directory,
      get sandbox() {
        return setup.sandbox;
      },
      get surroundings() {
        return { pod: worker.#pod, podIp: setup.podIp ?? "", volumes: setup.volumes };
      },
      get pod() {
        return worker.#pod;
      },
      get references() {
        return worker.#references;
      },
      changed: () => this.wake(),
      tell: (event) => this.#node.events.record(this.#pod, event),
      noteProfile: (container, profile) => void this.#profiles.set(container, profile),
    };
  }

  /** What was under way when the program last ended goes on, before anything is decided. */
  async #resume(adopted: ReadonlyMap<string, Adopted>): Promise<void> {
    const isUnderWay = [...adopted.values()].some(({ last }) => last !== undefined && last.state.is !== "told");
    if (isUnderWay && !(this.#isOver() && [...adopted.values()].every(({ last }) => last?.state.is !== "running"))) {
      await this.#setup.resume();
      for (const [name, found] of adopted) await this.#runners.get(name)?.resume(found);
    }
    this.#isReady = true;
    this.wake();
  }

  #observe(): ObservedPod {
    const containers = new Map([...this.#runners].map(([name, runner]) => [name, runner.state]));
    const { state, podIp } = this.#setup;
    return { startTime: this.#startTime, refused: this.#options.refused, setup: state, hostIp: this.#node.sandboxes.hostIp, podIp, containers, stopSince: this.#stopSince };
  }

  #advance(): void {
    const { clock, restartBackoff } = this.#node;
    const now = clock.now();
    const plan = planPod(this.#pod, this.#observe(), now, { restartBackoff });
    if (plan.isStopping) this.#stopSince ??= now;
    this.#wanted = plan.status;
    this.#timer.abort();
    if (plan.wakeAt !== undefined) {
      const timer = (this.#timer = new AbortController());
      void clock.sleep(plan.wakeAt - now, timer.signal).then(() => {
        if (!timer.signal.aborted) this.wake();
      });
    }
    const isReported = this.#isReported();
    for (const action of plan.actions) this.#act(action, isReported);
    if (!isReported) this.#writing ??= this.#report().finally(() => (this.#writing = undefined));
  }

  #act(action: PodAction, isReported: boolean): void {
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
        if (isReported && !this.#isFinishing) void this.#finish().catch((error: unknown) => this.#failed("delete", error));
    }
  }

  #isReported(): boolean {
    return this.#wanted === undefined || jsonEqual(this.#wanted, this.#pod.status);
  }

  /** Writes the status until the API has the latest one. */
  async #report(): Promise<void> {
    const { client, clock } = this.#node;
    while (!this.#isReported() && !this.#isGone && !this.#isReleased) {
      const { metadata } = this.#pod;
      const key = { namespace: metadata.namespace, name: metadata.name };
      try {
        const before = this.#pod.status;
        const next = { ...this.#pod, metadata: { ...metadata, ...this.#annotations() }, status: this.#wanted ?? {} };
        const written = await client.update(Pod, next, { subresource: "status" });
        for (const event of statusEvents(before, written)) this.#node.events.record(this.#pod, event);
        this.#accept(written);
      } catch (error) {
        if (isApiError(error, "Conflict")) this.#accept(await client.find(Pod, key).catch(() => this.#pod));
        else if (isApiError(error, "NotFound")) this.#accept(undefined);
        else {
          this.#failed("report", error);
          await clock.sleep(RETRY_MS, new AbortController().signal);
        }
      }
    }
  }

  #annotations(): { readonly annotations?: Record<string, string> } {
    if (this.#profiles.size === 0) return {};
    const noted = Object.fromEntries([...this.#profiles].map(([container, profile]) => [PROFILE_ANNOTATION + container, profile]));
    return { annotations: { ...this.#pod.metadata.annotations, ...noted } };
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

  async #finish(): Promise<void> {
    this.#isFinishing = true;
    const { namespace, name } = this.#pod.metadata;
    try {
      await this.#node.client.delete(Pod, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid: this.uid } });
    } catch (error) {
      // Another pod has the name already: ours is gone.
      if (!isApiError(error, "Conflict")) {
        this.#failed("delete", error);
        await this.#node.clock.sleep(RETRY_MS, new AbortController().signal);
        this.#isFinishing = false;
        this.wake();
      }
    }
  }

  #failed(what: string, error: unknown): void {
    const { name, namespace } = this.#pod.metadata;
    this.#node.logger.error(`pod ${what} failed`, { pod: name, namespace, error });
  }
}
