import type { Pod } from "@sluice/kubernetes";
import { ConfigError } from "../environment/config-error.ts";
import { delayOf } from "../lifecycle/restart-backoff.ts";
import type { ObservedPod } from "../lifecycle/observed-pod.ts";
import type { NodeContext } from "../node-context.ts";
import type { PodDirectory } from "../runtime/pod-directory.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { UnboundClaimError } from "../volumes/bound-volume.ts";
import { showsPod, volumeReferences } from "../volumes/payload-source.ts";
import { hasVolumes, makeVolumes, removeVolumes, type MadeVolumes } from "../volumes/pod-volumes.ts";
import type { PodEvent } from "./pod-events.ts";
import { sandboxPodOf } from "./pod-identity.ts";
import { pullPolicyOf } from "./prepare-container.ts";
import { pullCredentials } from "./pull-credentials.ts";

/** What a pod's sandbox and volumes need. */
export interface PodSetupOptions {
  readonly node: NodeContext;
  readonly directory: PodDirectory;
  readonly pod: () => Pod;
  readonly changed: () => void;
  readonly tell: (event: PodEvent) => void;
}

const RETRY = { baseMs: 500, maxMs: 120_000 };

/** A pod's sandbox and volumes, from the first container to the last. */
export class PodSetup {
  readonly #options: PodSetupOptions;
  #state: ObservedPod["setup"];
  #sandbox: Sandbox | undefined;
  #podIp: string | undefined;
  #volumes: MadeVolumes = { paths: new Map() };
  #failures = 0;
  readonly #lifetime = new AbortController();
  #timer: AbortController | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: PodSetupOptions) {
    this.#options = options;
    this.#podIp = options.pod().status?.podIP;
    // Of a pod that is over, volumes may be left; sandboxes are taken away when the node starts.
    const { phase } = options.pod().status ?? {};
    const isOver = phase === "Succeeded" || phase === "Failed";
    this.#state = { state: !isOver ? "absent" : hasVolumes(options.directory.volumes, options.pod().metadata.uid ?? "") ? "ready" : "removed" };
  }

  get state(): ObservedPod["setup"] {
    return this.#state;
  }

  get sandbox(): Sandbox | undefined {
    return this.#sandbox;
  }

  get podIp(): string | undefined {
    return this.#podIp;
  }

  /** Where each volume lies on this machine. */
  get volumes(): ReadonlyMap<string, string> {
    return this.#volumes.paths;
  }

  setUp(): void {
    this.#set({ state: "pending" });
    this.#enqueue(async () => {
      try {
        await this.#make();
        this.#failures = 0;
        this.#set({ state: "ready" });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        // What it waits for, the claim's own events tell.
        const isWaiting = error instanceof UnboundClaimError;
        const reason = error instanceof ConfigError ? "FailedMount" : "FailedCreatePodSandBox";
        if (!isWaiting)
          this.#options.tell({ type: "Warning", reason, message: reason === "FailedMount" ? message : `Failed to create pod sandbox: ${message}` });
        this.#set({ state: "failed", message, retryAt: this.#options.node.clock.now() + delayOf(++this.#failures, RETRY) });
      }
    });
  }

  /** Finds sandbox and volumes again for containers that run already; tries until it can. */
  async resume(): Promise<void> {
    const { clock, logger } = this.#options.node;
    while (!this.#lifetime.signal.aborted) {
      try {
        await this.#make((error) => this.#options.tell({ type: "Warning", reason: "FailedMount", message: error.message }));
        this.#set({ state: "ready" });
        return;
      } catch (error) {
        logger.error("a pod's sandbox was not found again", { pod: this.#options.pod().metadata.name, error });
        await clock.sleep(delayOf(++this.#failures, RETRY), this.#lifetime.signal);
      }
    }
  }

  tearDown(): void {
    this.#timer?.abort("removed");
    this.#set({ state: "removing" });
    this.#enqueue(async () => {
      try {
        await this.#unmake();
        this.#set({ state: "removed" });
      } catch (error) {
        this.#options.node.logger.error("a pod's sandbox could not be removed", { pod: this.#options.pod().metadata.name, error });
        this.#set({ state: "failed", message: String(error), retryAt: this.#options.node.clock.now() + delayOf(++this.#failures, RETRY) });
      }
    });
  }

  /** As `tearDown`, when nobody plans any more. */
  async remove(): Promise<void> {
    this.release();
    await this.#work;
    if (this.#state.state !== "removed") await this.#unmake();
  }

  /** Leaves everything as it is. */
  release(): void {
    this.#lifetime.abort("released");
    this.#timer?.abort("released");
  }

  /** Something that volumes show has changed; or what failed for want of it may work now. */
  referenceChanged(): void {
    if (this.#state.state === "failed") this.#set({ ...this.#state, retryAt: this.#options.node.clock.now() });
    else if ((this.#options.pod().spec.volumes ?? []).some((volume) => volumeReferences(volume).length > 0)) this.#refresh();
  }

  /** Labels or annotations have changed. */
  refreshPodFiles(): void {
    if ((this.#options.pod().spec.volumes ?? []).some(showsPod)) this.#refresh();
  }

  #refresh(): void {
    if (this.#state.state !== "ready" || this.#sandbox === undefined) return;
    this.#enqueue(async () => {
      if (this.#lifetime.signal.aborted || this.#state.state !== "ready") return;
      await this.#makeVolumes((error) => this.#options.tell({ type: "Warning", reason: "FailedMount", message: error.message }));
    });
  }

  async #make(onError?: (error: ConfigError) => void): Promise<void> {
    const { node, pod, directory } = this.#options;
    directory.make();
    this.#sandbox = await node.sandboxes.ensure(sandboxPodOf(pod()));
    this.#podIp = this.#sandbox.podIp;
    await this.#makeVolumes(onError);
  }

  async #makeVolumes(onError: ((error: ConfigError) => void) | undefined): Promise<void> {
    const { node, pod, directory } = this.#options;
    const { name: nodeName, client, references, tokens, allocatable, sandboxes, clock } = node;
    const context = {
      ...{ pod: pod(), nodeName, client, references, tokens, allocatable },
      ...{ hostIp: sandboxes.hostIp, podIp: this.#podIp ?? "", directory: directory.volumes, node: node.shared.volumes },
      imageFiles: (image: { readonly reference?: string; readonly pullPolicy?: string }) => this.#imageFiles(image),
    };
    this.#volumes = await makeVolumes(pod().spec.volumes ?? [], context, onError === undefined ? {} : { onError });
    const { refreshAt } = this.#volumes;
    this.#timer?.abort("replaced");
    this.#timer = undefined;
    if (refreshAt === undefined || this.#lifetime.signal.aborted) return;
    const timer = (this.#timer = new AbortController());
    void clock.sleep(Math.max(1000, refreshAt - clock.now()), timer.signal).then(() => {
      if (!timer.signal.aborted) this.#refresh();
    });
  }

  #imageFiles({ reference = "", pullPolicy }: { readonly reference?: string; readonly pullPolicy?: string }): Promise<string> {
    const { node, pod, tell } = this.#options;
    return node.images.files({
      ...{ image: reference, pullPolicy: pullPolicyOf(pullPolicy), signal: this.#lifetime.signal },
      credentials: () => pullCredentials(pod(), node),
      progress: (message) => tell({ type: "Normal", reason: "Pulling", message }),
    });
  }

  async #unmake(): Promise<void> {
    const { node, pod, directory } = this.#options;
    const { uid = "" } = pod().metadata;
    await node.sandboxes.remove(uid);
    await removeVolumes(directory.volumes, uid);
    this.#sandbox = undefined;
  }

  /** One thing after another. */
  #enqueue(task: () => Promise<void>): void {
    this.#work = this.#work.then(task).catch((error: unknown) => {
      this.#options.node.logger.error("a pod's volumes could not be refreshed", { pod: this.#options.pod().metadata.name, error });
    });
  }

  #set(state: ObservedPod["setup"]): void {
    this.#state = state;
    this.#options.changed();
  }
}
