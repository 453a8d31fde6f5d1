import type { Client } from "@sluice/client";

/**
 * A client before its cluster: components are built first, because the cluster's node runs their programs. Its calls wait
 * for `client`.
 */
export function deferredClient(client: Promise<Client>): Client {
  client.catch(() => undefined); // Whoever makes it reports it; here it only must not be unhandled.
  return {
    get: async (resource, key) => (await client).get(resource, key),
    find: async (resource, key) => (await client).find(resource, key),
    list: async (resource, options) => (await client).list(resource, options),
    watch: (resource, options) => later(client, (ready) => ready.watch(resource, options)),
    create: async (resource, object, options) => (await client).create(resource, object, options),
    update: async (resource, object, options) => (await client).update(resource, object, options),
    patch: async (resource, key, patch) => (await client).patch(resource, key, patch),
    apply: async (resource, object, options) => (await client).apply(resource, object, options),
    delete: async (resource, key, options) => (await client).delete(resource, key, options),
    log: (pod, options) => later(client, (ready) => ready.log(pod, options)),
    request: async (request) => (await client).request(request),
  };
}

async function* later<T>(client: Promise<Client>, open: (client: Client) => AsyncIterable<T>): AsyncGenerator<T> {
  yield* open(await client);
}
