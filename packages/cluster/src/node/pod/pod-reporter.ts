import { jsonEqual, isApiError, Pod, type PodStatus } from "@sluice/kubernetes";
import type { NodeContext } from "../node-context.ts";

/** Whose status is reported. */
export interface ReporterHost {
  readonly node: NodeContext;
  /** As it was last seen or written. */
  pod(): Pod;
  /** The API has this version now; undefined: the pod is gone. */
  accept(pod: Pod | undefined): void;
  readonly signal: AbortSignal;
}

/** How long a status waits for the next one, which mostly comes at once: only a pod that is over is reported without delay. */
const TOGETHER_MS = 10;
/** As above, for what few wait for: how far the making of a pod has come. */
const DETAIL_MS = 150;
/** How long to wait before the API is asked again after it failed. */
const RETRY_MS = 1000;
/** The annotation, by container, that says what stands in for its image. */
const PROFILE_ANNOTATION = "image-profile.node.sluice.dev/";

/** Tells the API how a pod is: the latest status only, one write at a time, and none that changes nothing. */
export class PodReporter {
  readonly #host: ReporterHost;
  readonly #profiles = new Map<string, string>();
  #wanted: PodStatus | undefined;
  /** The version that holds what is wanted, as far as the API takes it. */
  #written: string | undefined;
  #writing: Promise<void> | undefined;
  #isFinishing = false;
  /** When what is wanted is to be written at the latest; undefined while nothing is. */
  #due: number | undefined;
  /** Ends the wait of the status that is to be reported. */
  #earlier = new AbortController();

  constructor(host: ReporterHost) {
    this.#host = host;
  }

  /** The status that is to be reported, or has been. */
  get status(): PodStatus | undefined {
    return this.#wanted ?? this.#host.pod().status;
  }

  /** Whether the API knows. */
  get isReported(): boolean {
    const { metadata, status } = this.#host.pod();
    return this.#wanted === undefined || (metadata.resourceVersion ?? "") === this.#written || jsonEqual(this.#wanted, status);
  }

  /** What stands in for a container's image goes with the next report. */
  noteProfile(container: string, profile: string): void {
    this.#profiles.set(container, profile);
  }

  /** Undefined: the API has the last word already. */
  report(status: PodStatus | undefined): void {
    if (!jsonEqual(status, this.#wanted)) this.#written = undefined;
    this.#wanted = status;
    if (this.isReported) return;
    this.#hasten(delayOf(this.#host.pod().status, status));
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** Deletes the object for good, once. */
  finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    void this.#delete();
  }

  /** Resolves when nothing is being written. */
  async settle(): Promise<void> {
    this.#hasten(0);
    await this.#writing;
  }

  #hasten(ms: number): void {
    const due = this.#host.node.clock.now() + ms;
    if (this.#due !== undefined && this.#due <= due) return;
    this.#due = due;
    this.#earlier.abort("earlier");
    this.#earlier = new AbortController();
  }

  async #write(): Promise<void> {
    const { node, signal } = this.#host;
    while (!this.isReported && !signal.aborted) {
      await this.#wait();
      if (this.isReported || signal.aborted) return;
      const pod = this.#host.pod();
      try {
        const next = { ...pod, metadata: { ...pod.metadata, ...this.#annotations(pod) }, status: this.#wanted ?? {} };
        const written = await node.client.update(Pod, next, { subresource: "status" });
        if (next.status === this.#wanted) this.#written = written.metadata.resourceVersion;
        this.#host.accept(written);
      } catch (error) {
        if (isApiError(error, "Conflict")) await this.#refresh();
        else if (isApiError(error, "NotFound")) this.#host.accept(undefined);
        else await this.#failed("report", error);
      }
    }
  }

  async #wait(): Promise<void> {
    const { node, signal } = this.#host;
    for (let isEarlier = true; isEarlier && !signal.aborted;) {
      const left = (this.#due ?? 0) - node.clock.now();
      const earlier = this.#earlier.signal;
      if (left > 0) await node.clock.sleep(left, AbortSignal.any([signal, earlier]));
      isEarlier = earlier.aborted;
    }
    this.#due = undefined;
  }

  /** Somebody else has written: goes on from there. */
  async #refresh(): Promise<void> {
    const { namespace, name } = this.#host.pod().metadata;
    try {
      this.#host.accept(await this.#host.node.client.find(Pod, { namespace, name }));
    } catch (error) {
      await this.#failed("read", error);
    }
  }

  async #delete(): Promise<void> {
    const { node, signal } = this.#host;
    while (!signal.aborted) {
      const { namespace, name, uid = "" } = this.#host.pod().metadata;
      try {
        await node.client.delete(Pod, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
        return;
      } catch (error) {
        // Another pod has the name already: ours is gone.
        if (isApiError(error, "Conflict")) return;
        await this.#failed("delete", error);
      }
    }
  }

  #annotations(pod: Pod): { readonly annotations?: Record<string, string> } {
    if (this.#profiles.size === 0) return {};
    const noted = Object.fromEntries([...this.#profiles].map(([container, profile]) => [PROFILE_ANNOTATION + container, profile]));
    return { annotations: { ...pod.metadata.annotations, ...noted } };
  }

  async #failed(what: string, error: unknown): Promise<void> {
    const { node, signal } = this.#host;
    const { name, namespace } = this.#host.pod().metadata;
    node.logger.error(`pod ${what} failed`, { pod: name, namespace, error });
    await node.clock.sleep(RETRY_MS, signal);
  }
}

/** How long a status may wait: whether a pod runs and is ready, others act upon. */
function delayOf(before: PodStatus | undefined, status: PodStatus | undefined): number {
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  const readiness = (of: PodStatus | undefined): unknown => [of?.phase, of?.conditions?.find(({ type }) => type === "Ready")?.status];
  return jsonEqual(readiness(before), readiness(status)) ? DETAIL_MS : TOGETHER_MS;
}
