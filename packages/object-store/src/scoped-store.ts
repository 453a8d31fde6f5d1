import { ApiError } from "@sluice/kubernetes";
import { type ObjectInfo, type ObjectStore } from "./object-store.ts";
import { parseObjectUri } from "./object-uri.ts";

/**
 * A part of a store that belongs to `owner` (a DNS label) alone: the same URI is another object in every part, and no URI leads out
 * of one. Not for those who share the store to dispose of.
 */
export function scopedStore(store: ObjectStore, owner: string): ObjectStore {
  const inner = (uri: string): string => {
    const { bucket, key } = parseObjectUri(uri);
    return `minio://${owner}/${bucket.replace("://", "/")}${key === "" ? "" : `/${key}`}`;
  };
  const prefix = `minio://${owner}/`;
  const outer = (uri: string): string => uri.replace(prefix, "").replace("/", "://");
  const info = (found: ObjectInfo): ObjectInfo => ({ ...found, uri: outer(found.uri) });
  /** Says in messages what the caller knows. */
  const translate = (uri: string, error: unknown): unknown => {
    if (!(error instanceof ApiError) || !error.message.includes(prefix)) return error;
    const message = error.message.replaceAll(inner(uri), uri);
    return new ApiError(error.reason, message, { code: error.code, cause: error });
  };
  const call = async <R>(uri: string, work: (own: string) => Promise<R>): Promise<R> => {
    const own = inner(uri);
    try {
      return await work(own);
    } catch (error) {
      throw translate(uri, error);
    }
  };
  return {
    putFile: async (uri, path) => info(await call(uri, (own) => store.putFile(own, path))),
    put: async (uri, bytes) => info(await call(uri, (own) => store.put(own, bytes))),
    getFile: async (uri, path) => info(await call(uri, (own) => store.getFile(own, path))),
    async *get(uri, range) {
      try {
        yield* store.get(inner(uri), range);
      } catch (error) {
        throw translate(uri, error);
      }
    },
    stat: (uri) =>
      call(uri, async (own) => {
        const found = await store.stat(own);
        return found === undefined ? undefined : info(found);
      }),
    async *list(uri) {
      for await (const found of store.list(inner(uri))) yield info(found);
    },
    delete: (uri) => call(uri, (own) => store.delete(own)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
