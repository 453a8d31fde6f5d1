import type { Client } from "@sluice/client";
import { ApiError, applyMergePatch, defineResource, pathOf, type KubernetesObject, type Resource, type WatchEvent } from "@sluice/kubernetes";

/** A kind for tests. */
export const THINGS: Resource<KubernetesObject> = defineResource({
  group: "test",
  version: "v1",
  kind: "Thing",
  plural: "things",
  scope: "Namespaced",
  schema: {},
});

/** Another, which things own. */
export const PARTS: Resource<KubernetesObject> = defineResource({
  group: "test",
  version: "v1",
  kind: "Part",
  plural: "parts",
  scope: "Namespaced",
  schema: {},
});

/** An in-memory API that creates, merges, lists in pages of two and watches, for reflectors; everything else throws. */
export class FakeApi {
  readonly #objects = new Map<string, KubernetesObject>();
  readonly #watchers = new Set<{ readonly path: string; readonly send: (event: WatchEvent<KubernetesObject> | undefined) => void }>();
  #version = 0;
  lists = 0;
  watches = 0;
  /** Fails every list while set. */
  failing = false;
  /** Fails every write while set. */
  refusing = false;
  /** Whether a watch can begin with what exists. */
  streams = false;
  /** What watchers are not told yet, while set. */
  held: (() => void)[] | undefined;

  readonly client: Client = {
    ...({} as Client),
    list: async (resource, options) => {
      this.lists++;
      if (this.failing) throw new ApiError("ServiceUnavailable", "down");
      const prefix = `${pathOf(resource)}:`;
      const all = [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
      const start = Number(options?.continue ?? 0);
      const more = start + 2 < all.length ? { continue: `${start + 2}` } : {};
      return {
        apiVersion: "v1",
        kind: "List",
        metadata: { resourceVersion: `${this.#version}`, ...more },
        items: all.slice(start, start + 2) as never[],
      };
    },
    watch: (resource, options) => {
      if (options?.sendInitialEvents === true && !this.streams) throw new ApiError("Invalid", "sendInitialEvents is forbidden");
      return this.#watch(pathOf(resource), options?.sendInitialEvents === true, options?.signal) as AsyncIterable<never>;
    },
    create: async (resource, object) => this.#write(resource, object) as never,
    patch: async (resource, { name }, { body }) => {
      const object = this.#objects.get(`${pathOf(resource)}:${name}`);
      if (object === undefined) throw new ApiError("NotFound", "gone");
      return this.#write(resource, applyMergePatch(object, body) as KubernetesObject) as never;
    },
  };

  put(
    resource: Resource<KubernetesObject>,
    name: string,
    metadata: Partial<KubernetesObject["metadata"]> = {},
    quiet = false,
    content: object = {},
  ): KubernetesObject {
    const key = `${pathOf(resource)}:${name}`;
    const type = this.#objects.has(key) ? "MODIFIED" : "ADDED";
    const object = {
      apiVersion: "test/v1",
      kind: resource.kind,
      ...content,
      metadata: { name, namespace: "n", uid: name, ...metadata, resourceVersion: `${++this.#version}` },
    };
    this.#objects.set(key, object);
    if (!quiet) this.#send(pathOf(resource), { type, object });
    return object;
  }

  #write(resource: Resource<KubernetesObject>, object: KubernetesObject): KubernetesObject {
    if (this.refusing) throw new ApiError("Forbidden", "no");
    return this.put(resource, object.metadata.name, object.metadata, false, object);
  }

  remove(resource: Resource<KubernetesObject>, name: string, quiet = false): void {
    const key = `${pathOf(resource)}:${name}`;
    const object = this.#objects.get(key);
    this.#objects.delete(key);
    this.#version++;
    if (object !== undefined && !quiet) this.#send(pathOf(resource), { type: "DELETED", object });
  }

  /** Tells every watcher that its version is too old. */
  expire(): void {
    const object = { apiVersion: "v1", kind: "Status", metadata: {}, status: "Failure", reason: "Expired", code: 410 } as const;
    for (const { send } of this.#watchers) send({ type: "ERROR", object });
  }

  #send(path: string, event: WatchEvent<KubernetesObject>): void {
    const send = (): void => {
      for (const watcher of this.#watchers) if (watcher.path === path) watcher.send(event);
    };
    if (this.held === undefined) send();
    else this.held.push(send);
  }

  async *#watch(path: string, withInitial: boolean, signal?: AbortSignal): AsyncGenerator<WatchEvent<KubernetesObject>> {
    this.watches++;
    const events: (WatchEvent<KubernetesObject> | undefined)[] = [];
    if (withInitial) {
      for (const [key, object] of this.#objects) if (key.startsWith(`${path}:`)) events.push({ type: "ADDED", object });
      const metadata = { name: "", resourceVersion: `${this.#version}`, annotations: { "k8s.io/initial-events-end": "true" } };
      events.push({ type: "BOOKMARK", object: { apiVersion: "test/v1", kind: "Thing", metadata } });
    }
    let wake = (): void => undefined;
    const send = (event: WatchEvent<KubernetesObject> | undefined): void => {
      events.push(event);
      wake();
    };
    const watcher = { path, send };
    this.#watchers.add(watcher);
    signal?.addEventListener("abort", () => send(undefined));
    try {
      for (;;) {
        if (events.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        const event = events.shift();
        if (event === undefined) return;
        yield event;
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}
