import type { Client } from "@sluice/client";
import { pathOf, type KubernetesObject, type Resource } from "@sluice/kubernetes";
import type { Stores } from "./cache.ts";

/** The newest versions that one reconciliation wrote, so that the next one need not act on what was before. */
export class Writes {
  /** Notes what is written through it. */
  readonly client: Client;
  readonly #versions = new Map<string, { readonly resource: Resource<KubernetesObject>; readonly version: string }>();

  constructor(client: Client) {
    const noting = async <T extends KubernetesObject | undefined>(resource: Resource<KubernetesObject>, writing: Promise<T>): Promise<T> => {
      const written = await writing;
      const version = written?.metadata.resourceVersion;
      if (version !== undefined) this.#versions.set(pathOf(resource), { resource, version });
      return written;
    };
    this.client = {
      ...client,
      create: (resource, object, options) =>
        options?.dryRun === true ? client.create(resource, object, options) : noting(resource, client.create(resource, object, options)),
      update: (resource, object, options) => noting(resource, client.update(resource, object, options)),
      patch: (resource, key, patch) => noting(resource, client.patch(resource, key, patch)),
      apply: (resource, object, options) => noting(resource, client.apply(resource, object, options)),
      delete: (resource, key, options) => noting(resource, client.delete(resource, key, options)),
    };
  }

  /** Resolves once the stores that are kept show all of it, or `signal` aborts. */
  async shownIn(stores: Stores, signal: AbortSignal): Promise<void> {
    for (const { resource, version } of this.#versions.values()) await stores.find(resource)?.reached(version, signal);
  }
}
