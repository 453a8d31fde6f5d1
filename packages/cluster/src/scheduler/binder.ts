import type { Client } from "@sluice/client";
import type { Clock, EventRecorder, Logger } from "@sluice/controller";
import { isApiError, pathOf, PersistentVolumeClaim, Pod } from "@sluice/kubernetes";
import type { ClaimBook } from "./claim-book.ts";
import { SELECTED_NODE } from "./judge-claims.ts";
import type { PendingPod } from "./pending-pod.ts";

/** When a binding fails for no fault of the pod's. */
const RETRY_MS = 1000;

/** What a binder needs. */
export interface BinderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventRecorder;
  readonly claims: Pick<ClaimBook, "delayed">;
  readonly signal: AbortSignal;
  /** A pod could not be bound. */
  readonly failed: (pending: PendingPod) => void;
  /** A pod may be tried again. */
  readonly retry: (pending: PendingPod) => void;
  /** A binding has ended, well or not. */
  readonly done: () => void;
}

/** Tells the API which node pods have. What is bound in one turn of the event loop is written in one commit. */
export class Binder {
  readonly #options: BinderOptions;
  readonly #bindings = new Set<Promise<void>>();

  constructor(options: BinderOptions) {
    this.#options = options;
  }

  /** How many bindings are under way. */
  get size(): number {
    return this.#bindings.size;
  }

  /** Binds a pod, in the background. */
  bind(pending: PendingPod, node: string): void {
    const binding = this.#bind(pending, node).finally(() => {
      this.#bindings.delete(binding);
      this.#options.done();
    });
    this.#bindings.add(binding);
  }

  /** Resolves once nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#bindings);
  }

  async #bind(pending: PendingPod, node: string): Promise<void> {
    const { client, clock, logger, events, claims, signal, failed, retry } = this.#options;
    const { pod, demand } = pending;
    const { namespace, name, uid } = pod.metadata;
    try {
      for (const claim of claims.delayed(demand))
        if (claim.metadata.annotations?.[SELECTED_NODE] === undefined) await selectNode(client, claim, node);
      const body = { apiVersion: "v1", kind: "Binding", metadata: { namespace, name, uid }, target: { apiVersion: "v1", kind: "Node", name: node } };
      await client.request({ method: "POST", path: pathOf(Pod, { namespace, name, subresource: "binding" }), body });
      events.record(pod, { type: "Normal", reason: "Scheduled", message: `Successfully assigned ${namespace ?? ""}/${name} to ${node}` });
    } catch (error) {
      failed(pending);
      // Gone, on its way out, or placed by somebody else: its events tell what there is to know.
      if (isApiError(error, "NotFound") || isApiError(error, "Conflict") || signal.aborted) return;
      logger.warn("a pod could not be bound to its node and will be tried again", { pod: `${namespace ?? ""}/${name}`, node, error });
      await clock.sleep(RETRY_MS, signal);
      retry(pending);
    }
  }
}

async function selectNode(client: Client, { metadata }: PersistentVolumeClaim, node: string): Promise<void> {
  const { namespace, name, uid } = metadata;
  try {
    await client.patch(
      PersistentVolumeClaim,
      { namespace, name },
      { type: "merge", body: { metadata: { uid, annotations: { [SELECTED_NODE]: node } } } },
    );
  } catch (error) {
    // Gone, or another of that name: the node tells the pod.
    if (!isApiError(error, "NotFound") && !isApiError(error, "Conflict")) throw error;
  }
}
