import { isApiError, resourcesOfCrd, storageVersionOf, type CustomResourceDefinition, type UnknownObject } from "@sluice/kubernetes";
import { RequestNotes } from "./request-notes.ts";
import type { ResourceRequest, ServerContext } from "./request-context.ts";
import { CRD_CLEANUP, deleteObject } from "./delete.ts";
import { isFinished } from "./object-lifecycle.ts";
import type { ServedResource } from "./registry.ts";

/** Where definitions are stored. */
const CRD_TABLE = "customresourcedefinitions.apiextensions.k8s.io";

type Crd = UnknownObject & CustomResourceDefinition;

/** Keeps the registry equal to the stored definitions, and empties a kind before its definition goes. */
export class CustomResources implements AsyncDisposable {
  readonly #server: ServerContext;
  readonly #known = new Map<string, UnknownObject>();
  readonly #cleaning = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();

  readonly #unsubscribe: () => void;

  constructor(server: ServerContext) {
    this.#server = server;
    // As part of the commit: whoever learns of a definition can use it.
    this.#unsubscribe = server.store.onChange(CRD_TABLE, () => this.#sync());
    this.#sync();
  }

  /** Serves what the committed definitions describe; what has not changed costs nothing. */
  #sync(): void {
    const { store, registry } = this.#server;
    const definitions = new Map(store.list(CRD_TABLE).items.map((crd) => [crd.metadata.name, crd]));
    for (const name of this.#known.keys()) {
      if (definitions.has(name)) continue;
      this.#known.delete(name);
      registry.setCustom(name, [], "", {});
    }
    for (const [name, object] of definitions) {
      if (this.#known.get(name) === object) continue;
      this.#known.set(name, object);
      const crd = object as Crd;
      const isEstablished = crd.status?.conditions?.some(({ type, status }) => type === "Established" && status === "True") === true;
      registry.setCustom(name, isEstablished ? resourcesOfCrd(crd) : [], storageVersionOf(crd) ?? "", {});
      if (crd.metadata.deletionTimestamp !== undefined) this.#startCleaning(crd);
    }
  }

  /** Whether the kind of a table is about to go, so that nothing may be created in it. */
  isTerminating(table: string): boolean {
    return this.#known.get(table)?.metadata.deletionTimestamp !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#stop.abort();
    await Promise.all(this.#cleaning.values());
  }

  #startCleaning(crd: Crd): void {
    const { name } = crd.metadata;
    if (this.#cleaning.has(name) || !(crd.metadata.finalizers ?? []).includes(CRD_CLEANUP)) return;
    const cleaning = this.#cleanUp(name).then(
      () => this.#cleaning.delete(name),
      (error: unknown) => {
        this.#cleaning.delete(name);
        if (!this.#stop.signal.aborted)
          this.#server.options.logger.error("could not delete the objects of a custom resource definition", { name, error });
      },
    );
    this.#cleaning.set(
      name,
      cleaning.then(() => undefined),
    );
  }

  async #cleanUp(table: string): Promise<void> {
    const { store, registry } = this.#server;
    const changes = store.watch(table, { from: store.revision });
    const end = (): void => void changes.return?.();
    this.#stop.signal.addEventListener("abort", end, { once: true });
    try {
      const served = registry.all.find((one) => one.isCustom && one.table === table);
      if (served !== undefined) await Promise.all(store.list(table).items.map((object) => this.#delete(served, object)));
      while (store.list(table, { limit: 1 }).items.length > 0) {
        const change = await changes.next();
        if (change.done === true) return;
      }
    } finally {
      this.#stop.signal.removeEventListener("abort", end);
      end();
    }
    await this.#release(table);
  }

  async #delete(served: ServedResource, { metadata: { namespace, name } }: UnknownObject): Promise<void> {
    const target: ResourceRequest = {
      server: this.#server,
      served,
      request: { method: "DELETE", path: "", query: {} },
      user: { username: "system:apiserver", groups: ["system:masters"] },
      namespace,
      name,
      subresource: undefined,
      admission: [],
      notes: new RequestNotes(),
    };
    try {
      await deleteObject(target);
    } catch (error) {
      if (!isApiError(error, "NotFound")) throw error;
    }
  }

  async #release(name: string): Promise<void> {
    const { store, registry } = this.#server;
    const served = registry.all.find((one) => one.table === CRD_TABLE);
    await store.write(CRD_TABLE, { name }, (current) => {
      if (current === undefined || served === undefined) return current;
      const finalizers = (current.metadata.finalizers ?? []).filter((one) => one !== CRD_CLEANUP);
      const next = { ...current, metadata: { ...current.metadata, finalizers } };
      return isFinished(served, next) ? undefined : next;
    });
  }
}
