import type { Client } from "@sluice/client";
import { Reflector, Store, type ChangeHandler, type Clock, type Logger } from "@sluice/controller";
import {
  isApiError,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  type KubernetesObject,
  type Resource,
} from "@sluice/kubernetes";
import type { VolumeLookup } from "./judge-claims.ts";
import { PodGroup } from "./pod-group.ts";

/** What the scheduler wants to hear of. */
export interface SourceHandlers {
  readonly node: ChangeHandler<Node>;
  readonly namespace: ChangeHandler<Namespace>;
  readonly pod: ChangeHandler<Pod>;
  readonly group: ChangeHandler<PodGroup>;
  readonly claim: ChangeHandler<PersistentVolumeClaim>;
  /** Of volumes and classes. */
  readonly volumes: () => void;
}

/** What the API has, as far as it matters to scheduling. */
export interface Sources extends Omit<VolumeLookup, "selectedNode"> {
  readonly pods: Pick<Store<Pod>, "get">;
  readonly groups: Pick<Store<PodGroup>, "get">;
  /** Resolves once all is known that is there. */
  readonly synced: Promise<unknown>;
  /** Watches until the signal aborts. */
  run(): Promise<void>;
}

/** Prepares to watch the API. */
export function openSources(
  { client, clock, logger, signal }: { readonly client: Client; readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
  handlers: SourceHandlers,
): Sources {
  const loops: (() => Promise<void>)[] = [];
  const synced: Promise<void>[] = [];
  const watch = <T extends KubernetesObject>(resource: Resource<T>, handler: ChangeHandler<T>): Store<T> => {
    const store = new Store(resource);
    const isAbsent = Promise.withResolvers<void>();
    const reflector = new Reflector({
      client,
      resource,
      store,
      handler: guarded(handler, logger),
      clock,
      signal,
      onError(error) {
        // Who has deleted the definition of a kind has none of it.
        if (isApiError(error, "NotFound")) isAbsent.resolve();
        else logger.warn("the scheduler lost its watch and will try again", { error });
      },
    });
    loops.push(() => reflector.run());
    synced.push(Promise.race([reflector.synced, isAbsent.promise]));
    return store;
  };
  watch(Namespace, handlers.namespace);
  watch(Node, handlers.node);
  const claims = watch(PersistentVolumeClaim, handlers.claim);
  const volumes = watch(PersistentVolume, handlers.volumes);
  const classes = watch(StorageClass, handlers.volumes);
  const groups = watch(PodGroup, handlers.group);
  const pods = watch(Pod, handlers.pod);
  return {
    pods,
    groups,
    claim: (namespace, name) => claims.get(`${namespace}/${name}`),
    volume: (name) => volumes.get(name),
    storageClass: (name) => classes.get(name),
    synced: Promise.all(synced),
    async run() {
      await Promise.all(loops.map((loop) => loop()));
    },
  };
}

/** What one object gets wrong, such as an amount that is none, must not stop the watch. */
function guarded<T extends KubernetesObject>(handler: ChangeHandler<T>, logger: Logger): ChangeHandler<T> {
  return (before, after) => {
    try {
      handler(before, after);
    } catch (error) {
      const { kind, metadata } = after ?? before ?? {};
      const { namespace, name } = metadata ?? {};
      logger.warn("the scheduler cannot read an object and leaves it out", { kind, namespace, name, error });
    }
  };
}
