import { keyOf, Reflector, Store, type ChangeHandler, type ReconcileContext } from "@sluice/controller";
import {
  builtinResources,
  CustomResourceDefinition,
  isApiError,
  pathOf,
  resourcesOfCrd,
  storageVersionOf,
  type Resource,
  type UnknownObject,
} from "@sluice/kubernetes";
import { ObjectGraph } from "./object-graph.ts";

/** One version of each built-in kind; core Events are events.k8s.io's too. */
const BUILTIN: readonly Resource[] = [...Map.groupBy(builtinResources, ({ group, kind }) => `${group}/${kind}`).values()]
  .flatMap(([first]) => first ?? [])
  .filter(({ group }) => group !== "events.k8s.io");

/** A kind that is being watched. */
interface WatchedKind {
  readonly resource: Resource;
  /** Resolves once all its objects are known, or it turns out that there is no such kind. */
  readonly known: Promise<unknown>;
  readonly running: Promise<void>;
}

interface CustomKind extends WatchedKind {
  readonly stop: AbortController;
}

/**
 * Every object of every kind, the custom kinds as their definitions come and go. Events are left out: they own nothing,
 * nothing owns them, and there are many.
 */
export class World {
  readonly graph: ObjectGraph = new ObjectGraph();
  readonly #custom = new Map<string, CustomKind>();
  readonly #listeners = new Set<() => void>();
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /** All kinds that can hold objects, each in one version. */
  get kinds(): readonly Resource[] {
    return [...BUILTIN, ...[...this.#custom.values()].map(({ resource }) => resource)];
  }

  /** Resolves once the graph has everything that was there at the start, or `run` has ended. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Calls `listener` after every change of `kinds`. */
  onKindsChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Keeps the graph equal to the API until the signal aborts. */
  async run(context: ReconcileContext): Promise<void> {
    const watched = BUILTIN.filter(({ kind }) => kind !== "Event");
    const builtin = watched.map((resource) => {
      const onChange = resource.kind === CustomResourceDefinition.kind ? this.#defining(context) : undefined;
      return this.#watch(resource, context, context.signal, onChange);
    });
    await Promise.all(builtin.map(({ known }) => known));
    await Promise.all([...this.#custom.values()].map(({ known }) => known));
    this.#ready.resolve();
    await Promise.all(builtin.map(({ running }) => running));
    await Promise.all([...this.#custom.values()].map(({ running }) => running));
  }

  #watch(resource: Resource, { client, clock, logger }: ReconcileContext, signal: AbortSignal, onChange?: ChangeHandler<UnknownObject>): WatchedKind {
    const store = new Store(resource);
    const handler: ChangeHandler<UnknownObject> = (before, after) => {
      const uid = (after ?? before)?.metadata.uid;
      if (uid !== undefined) this.graph.set(resource, uid, after?.metadata);
      onChange?.(before, after);
    };
    // A kind that is no more takes its objects along.
    signal.addEventListener("abort", () => {
      for (const object of store.list()) handler(store.set(keyOf(object.metadata), undefined), undefined);
    });
    const absent = Promise.withResolvers<void>();
    const onError = (error: unknown): void => {
      // A kind that is not served, or not yet: it is asked for again, but nobody waits for it.
      if (isApiError(error, "NotFound")) absent.resolve();
      else logger.warn("watching all objects failed and will be tried again", { resource: resource.plural, error });
    };
    const reflector = new Reflector({ client, resource, store, handler, clock, signal, onError });
    return { resource, known: Promise.race([reflector.synced, absent.promise]), running: reflector.run() };
  }

  /** Follows the definitions of custom kinds. */
  #defining(context: ReconcileContext): ChangeHandler<UnknownObject> {
    return (before, after) => {
      const name = (after ?? before)?.metadata.name ?? "";
      const resource = after === undefined ? undefined : storedResource(after);
      const known = this.#custom.get(name);
      if (resource !== undefined && known !== undefined && pathOf(known.resource) === pathOf(resource)) return;
      if (known === undefined && resource === undefined) return;
      known?.stop.abort();
      this.#custom.delete(name);
      if (resource !== undefined) {
        const stop = new AbortController();
        this.#custom.set(name, { ...this.#watch(resource, context, AbortSignal.any([stop.signal, context.signal])), stop });
      }
      for (const listener of this.#listeners) listener();
    };
  }
}

/** The kind that an established definition describes, in the version that its objects are stored in. */
function storedResource(crd: UnknownObject): Resource | undefined {
  const { status } = crd as UnknownObject & CustomResourceDefinition;
  const isEstablished = status?.conditions?.some((condition) => condition.type === "Established" && condition.status === "True");
  const resources = isEstablished === true ? resourcesOfCrd(crd) : [];
  const version = isEstablished === true ? storageVersionOf(crd) : undefined;
  return resources.find((resource) => resource.version === version) ?? resources[0];
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
