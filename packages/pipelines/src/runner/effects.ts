import type { Client } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import { isApiError, pathOf, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import type { ObjectStore } from "@sluice/object-store";
import { splitRoot } from "../domain/pipeline-root.ts";
import type { ArtifactStores } from "../artifact-stores/artifact-stores.ts";
import type { ArtifactRecord, Effect, EngineContext, EngineEvent } from "../engine/types.ts";
import type { Store } from "../store/store.ts";
import type { OutboxRow, RunRow } from "../store/tables.ts";
import { lookUp, type CacheAnswer, type CacheSettings } from "./cache-lookup.ts";
import { CLAIMS, NAMESPACES, PODS, SERVICE_ACCOUNTS } from "./kinds.ts";
import { Limiter } from "./limiter.ts";
import type { LiveRun } from "./live-run.ts";
import { presentImages, type PresentImages } from "./present-images.ts";
import type { LogArchive } from "./log-archive.ts";
import { logOf } from "./run-logs.ts";

/** How many requests of one runner the Kubernetes API sees at once. */
const IN_FLIGHT = 256;
const RETRY_MS = 200;
const LONGEST_RETRY_MS = 15_000;

type EffectOf<T extends Effect["type"]> = Extract<Effect, { readonly type: T }>;

/** What effects are carried out with. */
export interface EffectsOptions {
  readonly store: Store;
  readonly client: Client;
  readonly objects: ArtifactStores;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly engine: EngineContext;
  readonly logs: LogArchive;
  readonly signal: AbortSignal;
  readonly cache?: CacheSettings | undefined;
  push(run: LiveRun, event: EngineEvent): Promise<void>;
}

/** What the outbox must remember of effects: what a new process could not tell from the state of the run. */
export function outboxRowsOf(row: RunRow, effects: readonly Effect[]): OutboxRow[] {
  return effects.flatMap((effect): OutboxRow[] => {
    switch (effect.type) {
      case "createPod":
        return [outboxRow(row, "createPod", effect.pod.metadata.name)];
      case "deletePod":
        return [outboxRow(row, "deletePod", effect.podName)];
      case "deleteVolumeClaim":
        // A task's own claim is its task's business; the one of the workspace outlives the run by a moment.
        return effect.taskId === undefined ? [outboxRow(row, "deleteClaim", effect.name)] : [];
      case "createVolumeClaim":
      case "lookupCache":
      case "proceed":
      case "wakeAt":
        return [];
    }
  });
}

/** The word of something to do for a run in the cluster. */
export function outboxRow({ id, namespace }: Pick<RunRow, "id" | "namespace">, kind: OutboxRow["kind"], name: string): OutboxRow {
  return { id: `${kind}/${namespace}/${name}`, run_id: id, kind, namespace, name };
}

/** Does what the engine asks for. Everything may be done twice, and what fails for a passing reason is tried again. */
export class Effects {
  readonly #options: EffectsOptions;
  readonly #limiter = new Limiter(IN_FLIGHT);
  /** Namespaces that are known to have what pods need, by `namespace/account`. */
  readonly #prepared = new Map<string, Promise<void>>();
  /** Questions to the cache whose answers are not on disk yet. */
  readonly #lookups = new Set<Promise<unknown>>();
  /** What is on its way into being, by path: only once it is there can it be deleted. */
  readonly #creating = new Map<string, Promise<unknown>>();

  constructor(options: EffectsOptions) {
    this.#options = options;
  }

  /** Starts all of it; what comes of it arrives as events. */
  carryOut(run: LiveRun, effects: readonly Effect[]): void {
    const lookups: EffectOf<"lookupCache">[] = [];
    for (const effect of effects) {
      switch (effect.type) {
        case "lookupCache":
          lookups.push(effect);
          break;
        case "createPod":
          this.#start(run, (signal) => this.#createPod(run, effect, signal));
          break;
        case "deletePod":
          this.#start(run, (signal) => this.#deletePod(run, effect, signal));
          break;
        case "proceed":
          void this.#options.push(run, { type: "proceed", time: this.#options.clock.now() });
          break;
        case "wakeAt":
          void this.#wake(run, effect.time);
          break;
        case "createVolumeClaim":
        case "deleteVolumeClaim":
          this.#start(run, (signal) => this.#claim(run, effect, signal));
          break;
      }
    }
    if (lookups.length > 0) this.#start(run, (signal) => this.#lookup(run, lookups, signal));
  }

  /** Deletes what runs that are over have left in the cluster and of artifacts, and then the word of it. Never rejects. */
  async removeLeftovers(rows: readonly OutboxRow[]): Promise<void> {
    await Promise.all(rows.map((row) => this.#removeLeftover(row)));
  }

  async #removeLeftover(row: OutboxRow): Promise<void> {
    const { store, logger, signal } = this.#options;
    const { id, kind, namespace, name } = row;
    let isDone = true;
    const remove = async (): Promise<void> => {
      if (kind === "deleteArtifacts") isDone = await this.#removeArtifacts(row);
      else await this.#delete(kind === "deleteClaim" ? CLAIMS : PODS, { namespace, name });
    };
    try {
      await this.#limiter.run(() => this.#persist(signal, remove));
      if (!signal.aborted && isDone) await store.outbox.remove([id]);
    } catch (error) {
      if (!signal.aborted) logger.warn("cannot remove what a run has left; tried again on the next start", { kind, namespace, name, error });
    }
  }

  /** Deletes the artifacts that a deleted run has made; tells whether none is left because another run uses it. */
  async #removeArtifacts({ run_id: runId, namespace, name }: OutboxRow): Promise<boolean> {
    const { store } = this.#options;
    const { uri: home, query } = splitRoot(name);
    const objects = this.#options.objects.of(namespace, { query });
    // Who has just been told of a result that is gone now may still be about to use it.
    await Promise.allSettled(this.#lookups);
    const used = await store.upkeep.usedBelow(home, runId);
    if (used.length === 0) {
      await objects.delete(home);
      return true;
    }
    for await (const { uri } of objects.list(home)) {
      if (!used.some((kept) => uri === kept || uri.startsWith(`${kept}/`))) await objects.delete(uri);
    }
    return false;
  }

  #start(run: LiveRun, work: (signal: AbortSignal) => Promise<void>): void {
    const signal = AbortSignal.any([run.stop.signal, this.#options.signal]);
    this.#limiter
      .run(() => work(signal))
      .catch((error: unknown) => {
        if (!signal.aborted) this.#options.logger.error("an effect failed", { run: run.row.id, error });
      });
  }

  /** Does `work` until it succeeds, is refused for good, or nobody wants it any more. */
  async #persist(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#options;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        return await work();
      } catch (error) {
        if (isRefusal(error)) throw error;
        if (failures === 3) logger.warn("the Kubernetes API does not answer; trying on", { error });
        await clock.sleep(Math.min(RETRY_MS * 2 ** failures, LONGEST_RETRY_MS), signal);
      }
    }
  }

  async #createPod(run: LiveRun, { taskId, attempt, pod }: EffectOf<"createPod">, signal: AbortSignal): Promise<void> {
    const { clock, push } = this.#options;
    const { namespace } = run.row;
    const { name } = pod.metadata;
    const isWanted = (): boolean => !run.doomed.has(name) && !signal.aborted;
    const object = { ...pod, metadata: { ...pod.metadata, namespace } };
    try {
      await this.#persist(signal, async () => {
        await this.#prepare(namespace, pod.spec.serviceAccountName);
        try {
          if (isWanted()) await this.#create(PODS, object);
        } catch (error) {
          if (!isApiError(error, "NotFound")) throw error;
          // The namespace went away since it was last seen to be there.
          this.#prepared.clear();
          await this.#prepare(namespace, pod.spec.serviceAccountName);
          if (isWanted()) await this.#create(PODS, object);
        }
      });
    } catch (error) {
      if (signal.aborted) return;
      run.over.add(name);
      await push(run, {
        type: "podFinished",
        time: clock.now(),
        taskId,
        attempt,
        succeeded: false,
        message: `the pod was refused: ${messageOf(error)}`,
      });
      return;
    }
    if (!signal.aborted) run.done.push(outboxRow(run.row, "createPod", name).id);
  }

  async #deletePod(run: LiveRun, { taskId, attempt, podName }: EffectOf<"deletePod">, signal: AbortSignal): Promise<void> {
    const { clock, push, logs, engine } = this.#options;
    const { namespace } = run.row;
    let wasThere = true;
    run.doomed.add(podName);
    const log = logOf(run, { taskId, attempt }, engine);
    // Begun before the pod goes, it reads on to the container's last words; nothing waits for them.
    if (log !== undefined && run.running.has(podName)) void logs.follow({ namespace, name: podName }, log);
    await this.#persist(signal, async () => {
      wasThere = await this.#delete(PODS, { namespace, name: podName });
    });
    if (signal.aborted) return;
    run.done.push(outboxRow(run.row, "deletePod", podName).id);
    if (wasThere || run.over.has(podName)) return;
    run.over.add(podName);
    await push(run, { type: "podFinished", time: clock.now(), taskId, attempt, succeeded: false, message: "the pod was deleted" });
  }

  async #claim(run: LiveRun, effect: EffectOf<"createVolumeClaim"> | EffectOf<"deleteVolumeClaim">, signal: AbortSignal): Promise<void> {
    const { clock, push } = this.#options;
    const { namespace } = run.row;
    let error: string | undefined;
    try {
      await this.#persist(signal, async () => {
        if (effect.type === "deleteVolumeClaim") {
          await this.#delete(CLAIMS, { namespace, name: effect.name });
          return;
        }
        await this.#prepare(namespace, undefined);
        if (!signal.aborted) await this.#create(CLAIMS, { ...effect.claim, metadata: { ...effect.claim.metadata, namespace } });
      });
    } catch (cause) {
      error = messageOf(cause);
    }
    if (signal.aborted || effect.taskId === undefined) return;
    await push(run, { type: "claimDone", time: clock.now(), taskId: effect.taskId, ...(error === undefined ? {} : { error }) });
  }

  async #create<T extends KubernetesObject>(resource: Resource<T>, object: T): Promise<void> {
    const path = pathOf(resource, object.metadata);
    const created = create(this.#options.client, resource, object);
    const settled = Promise.allSettled([created]);
    this.#creating.set(path, settled);
    try {
      await created;
    } finally {
      if (this.#creating.get(path) === settled) this.#creating.delete(path);
    }
  }

  /** Deletes an object; tells whether it was there. */
  async #delete(resource: Resource<KubernetesObject>, key: ObjectKey): Promise<boolean> {
    await this.#creating.get(pathOf(resource, key));
    return (await this.#options.client.delete(resource, key)) !== undefined;
  }

  /** What the cache says to questions of a run; `stored` settles once the answers are on disk. */
  async answers(run: LiveRun, lookups: readonly EffectOf<"lookupCache">[], stored: Promise<unknown>): Promise<EngineEvent[]> {
    const { store, client, objects, clock, logger, cache: settings = {} } = this.#options;
    this.#lookups.add(stored);
    void stored.finally(() => this.#lookups.delete(stored));
    const scope = { namespace: run.row.namespace, pipeline: run.pipeline };
    let answers: ReadonlyMap<EffectOf<"lookupCache">, CacheAnswer> = new Map();
    let problem = "";
    try {
      const objectsOf = ({ store: query }: ArtifactRecord): ObjectStore => objects.of(scope.namespace, { query });
      const images = (): Promise<PresentImages> => presentImages(client);
      answers = await lookUp(lookups, scope, { store, objectsOf, images, now: clock.now(), settings });
    } catch (error) {
      problem = messageOf(error);
      logger.warn("cannot read the cache; tasks run instead", { run: run.row.id, error });
    }
    const time = clock.now();
    return lookups.map((lookup) => {
      const answer = answers.get(lookup) ?? { miss: { type: "unreadable", problem } };
      return { type: "cacheAnswered", time, taskId: lookup.taskId, ...answer };
    });
  }

  async #lookup(run: LiveRun, lookups: readonly EffectOf<"lookupCache">[], signal: AbortSignal): Promise<void> {
    const stored = Promise.withResolvers<void>();
    const events = await this.answers(run, lookups, stored.promise);
    // Rejects when the run is over meanwhile: then nothing was taken from the cache.
    if (!signal.aborted) await Promise.allSettled(events.map((event) => this.#options.push(run, event)));
    stored.resolve();
  }

  async #wake(run: LiveRun, time: number): Promise<void> {
    if (run.alarms.has(time)) return;
    run.alarms.add(time);
    const { clock, push } = this.#options;
    const signal = AbortSignal.any([run.stop.signal, this.#options.signal]);
    await clock.sleep(time - clock.now(), signal);
    run.alarms.delete(time);
    if (!signal.aborted) void push(run, { type: "timeReached", time: clock.now() });
  }

  /** Makes the namespace, and the account its pods run as, if they are not there. */
  #prepare(namespace: string, account: string | undefined): Promise<void> {
    const key = `${namespace}/${account ?? ""}`;
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const { client } = this.#options;
    const prepare = async (): Promise<void> => {
      await ensure(client, NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
      if (account === undefined) return;
      await ensure(client, SERVICE_ACCOUNTS, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace } });
    };
    const prepared = prepare();
    this.#prepared.set(key, prepared);
    prepared.catch(() => this.#prepared.delete(key));
    return prepared;
  }
}

async function ensure(client: Client, resource: Resource<KubernetesObject>, object: KubernetesObject): Promise<void> {
  const { name, namespace } = object.metadata;
  if ((await client.find(resource, { name, namespace })) === undefined) await create(client, resource, object);
}

async function create<T extends KubernetesObject>(client: Client, resource: Resource<T>, object: T): Promise<void> {
  try {
    await client.create(resource, object);
  } catch (error) {
    if (!isApiError(error, "AlreadyExists")) throw error;
  }
}

/** Whether trying again cannot help. */
function isRefusal(error: unknown): boolean {
  return isApiError(error) && error.code >= 400 && error.code < 500 && !["TooManyRequests", "Conflict", "Expired", "Gone"].includes(error.reason);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
