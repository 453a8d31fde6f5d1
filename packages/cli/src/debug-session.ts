import type { Client } from "@sluice/client";
import { defineResource, type KubernetesObject, type ObjectKey, type Resource, UserError } from "@sluice/kubernetes";

const MAIN = "main";
/** What nothing but another pipeline, image or secret will help. */
const HOPELESS: ReadonlySet<string> = new Set(["InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"]);

interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: object;
    readonly terminated?: { readonly exitCode: number; readonly reason?: string };
  };
}

interface DebuggedPod extends KubernetesObject {
  status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

const PODS: Resource<DebuggedPod> = defineResource({
  ...{ group: "", version: "v1", kind: "Pod", plural: "pods", scope: "Namespaced", schema: {} },
  subresources: { status: true },
});

/** What a session tells of. */
export interface DebugSessionOptions {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** Says in one line what goes on. */
  say(line: string): void;
}

/** A pod that somebody debugs in. Disposing of it deletes the pod. */
export class DebugSession implements AsyncDisposable {
  readonly key: ObjectKey;
  readonly #options: DebugSessionOptions;
  readonly #began = Promise.withResolvers<void>();
  readonly #ended: Promise<number>;
  readonly #stop = new AbortController();
  #said = "";

  private constructor(key: ObjectKey, options: DebugSessionOptions) {
    this.key = key;
    this.#options = options;
    this.#ended = this.#follow(AbortSignal.any([options.signal, this.#stop.signal]));
    this.#ended.then(() => this.#began.resolve(), this.#began.reject);
    // Whoever waits for it hears of it; nobody need.
    this.#began.promise.catch(() => undefined);
  }

  /** Creates the pod. */
  static async open(pod: object & { readonly metadata: KubernetesObject["metadata"] }, options: DebugSessionOptions): Promise<DebugSession> {
    const { metadata } = await options.client.create(PODS, { apiVersion: "v1", kind: "Pod", ...pod });
    return new DebugSession({ namespace: metadata.namespace, name: metadata.name }, options);
  }

  /** Resolves once the step's container runs or has run; rejects with a `UserError` if it cannot. */
  get began(): Promise<void> {
    return this.#began.promise;
  }

  /** Resolves with the exit code of the step's container; rejects with a `UserError` if it has none. */
  get ended(): Promise<number> {
    return this.#ended;
  }

  /** What the step's container writes, until it has ended. */
  log(signal: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#options.client.log(this.key, { container: MAIN, follow: true, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended.catch(() => undefined); // Whoever waited for it has been told.
    await this.#options.client.delete(PODS, this.key);
    this.#options.say(`deleted pod ${this.key.name}`);
  }

  async #follow(signal: AbortSignal): Promise<number> {
    const { client } = this.#options;
    const { namespace, name } = this.key;
    while (!signal.aborted) {
      for await (const { type, object } of client.watch(PODS, { namespace, fieldSelector: `metadata.name=${name}`, signal })) {
        if (type === "DELETED") throw new UserError(`pod ${name} was deleted`);
        if (type !== "ADDED" && type !== "MODIFIED") continue;
        const code = await this.#look(object);
        if (code !== undefined) return code;
      }
    }
    throw new UserError("the session was interrupted");
  }

  /** The step's exit code, if it has ended. */
  async #look({ status = {} }: DebuggedPod): Promise<number | undefined> {
    const init = status.initContainerStatuses ?? [];
    const main = status.containerStatuses?.find((one) => one.name === MAIN)?.state;
    if (main?.running !== undefined || main?.terminated !== undefined) this.#began.resolve();
    const failed = init.find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
    const { phase } = status;
    if (phase === "Succeeded" || phase === "Failed") {
      if (status.reason !== undefined) throw new UserError(`pod ${this.key.name} ended: ${status.reason}: ${status.message ?? ""}`);
      if (failed !== undefined) throw new UserError(`${this.#purposeOf(failed.name)} failed: ${await this.#lastWords(failed.name)}`);
      return main?.terminated?.exitCode ?? 1;
    }
    for (const { name, state } of [...init, ...(status.containerStatuses ?? [])]) {
      const { reason = "", message } = state?.waiting ?? {};
      if (HOPELESS.has(reason)) throw new UserError(`container ${name} cannot start: ${reason}${message === undefined ? "" : `: ${message}`}`);
      if (message !== undefined) this.#sayOnce(`${name}: ${message}`);
    }
    const unscheduled = status.conditions?.find((one) => one.type === "PodScheduled" && one.status === "False");
    if (unscheduled?.message !== undefined) this.#sayOnce(`waiting for a node: ${unscheduled.message}`);
    const working = init.find(({ state }) => state?.running !== undefined);
    if (working !== undefined) this.#sayOnce(`${this.#purposeOf(working.name)} …`);
    return undefined;
  }

  #purposeOf(container: string): string {
    return container === "fetch" ? "fetching the step's inputs" : `container ${container}`;
  }

  async #lastWords(container: string): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#options.client.log(this.key, { container, tailLines: 10 })) chunks.push(chunk);
    return Buffer.concat(chunks).toString().trim();
  }

  #sayOnce(line: string): void {
    if (line === this.#said) return;
    this.#said = line;
    this.#options.say(line);
  }
}
