import type { Client } from "@sluice/client";
import type { Logger } from "@sluice/controller";
import { isApiError, type ObjectKey } from "@sluice/kubernetes";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { ArtifactRecord } from "../engine/types.ts";
import { MAIN_CONTAINER } from "../engine/pod-types.ts";
import { Limiter } from "./limiter.ts";

/** How many logs of pods that have ended are read at once. */
const IN_FLIGHT = 16;
/** A log up to this size is stored in one piece. */
const SMALL_BYTES = 256 * 1024;
/** No more of a log than this is kept: its beginning. */
const MAX_BYTES = 256 * 1024 * 1024;

/** What logs are kept with. */
export interface LogArchiveOptions {
  readonly client: Client;
  readonly objects: ArtifactStores;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Stores the logs of pods as artifacts, so that they outlive the pods. It is done here rather than by the agent in the pod because the
 * API can tell a log on any cluster, also of a pod that failed or is stopped; nothing waits for it.
 */
export class LogArchive {
  readonly #options: LogArchiveOptions;
  readonly #limiter = new Limiter(IN_FLIGHT);
  /** Those under way, by the log's address. */
  readonly #active = new Map<string, Promise<void>>();

  constructor(options: LogArchiveOptions) {
    this.#options = options;
  }

  /** Stores the log of a pod that has ended; resolves once it is there, or cannot be had. */
  keep(pod: ObjectKey, log: ArtifactRecord): Promise<void> {
    return this.#once(log.uri, () => this.#limiter.run(() => this.#store(pod, log, false)));
  }

  /** Stores the log of a pod that is about to be deleted, to its last line; resolves as `keep` does. */
  follow(pod: ObjectKey, log: ArtifactRecord): Promise<void> {
    return this.#once(log.uri, () => this.#store(pod, log, true));
  }

  #once(uri: string, store: () => Promise<void>): Promise<void> {
    const known = this.#active.get(uri);
    if (known !== undefined) return known;
    const stored = store().finally(() => this.#active.delete(uri));
    this.#active.set(uri, stored);
    return stored;
  }

  async #store(pod: ObjectKey, { uri, store }: ArtifactRecord, follow: boolean): Promise<void> {
    const { client, logger, signal } = this.#options;
    const objects = this.#options.objects.of(pod.namespace ?? "", { query: store });
    try {
      const log = bounded(client.log(pod, { container: MAIN_CONTAINER, follow, signal }));
      const head: Uint8Array[] = [];
      let size = 0;
      for (let next = await log.next(); ; next = await log.next()) {
        if (next.done === true) {
          await objects.put(uri, Buffer.concat(head));
          return;
        }
        head.push(next.value);
        size += next.value.length;
        if (size > SMALL_BYTES) break;
      }
      await objects.put(uri, joined(head, log));
    } catch (error) {
      // A container that never started has no log, and that of a pod which is gone is gone with it.
      if (signal.aborted || isApiError(error, "NotFound") || isApiError(error, "BadRequest")) return;
      logger.warn("cannot keep the log of a pod", { pod: pod.name, uri, error });
    }
  }
}

async function* joined(head: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  yield* rest;
}

/** The beginning of a log; what was read before the log broke off is all there is of it. */
async function* bounded(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const chunk of chunks) {
      if (size + chunk.length > MAX_BYTES) {
        yield chunk.subarray(0, MAX_BYTES - size);
        yield Buffer.from(`\n[only the first ${MAX_BYTES / 1024 / 1024} MiB of this log are kept]\n`);
        return;
      }
      size += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (size === 0) throw error;
  }
}
