/** What is known of a stored object. */
export interface ObjectInfo {
  readonly uri: string;
  readonly size: number;
  /**
   * `sha256:<hex>` of the bytes. A store that does not know it without reading them gives, from `stat` and `list`, a mark of its own instead that
   * changes with them, such as `etag:<mark>`.
   */
  readonly digest: string;
}

/**
 * Bytes by URI (`minio://bucket/key`, also `s3://` and `gs://`), each object addressed also by its digest. A directory is what
 * lies below `uri/`; a slash at the end of a URI says nothing. Failures are `ApiError`s; an absent object is `undefined` from
 * `stat` and NotFound elsewhere.
 */
export interface ObjectStore extends AsyncDisposable {
  /** Stores a file's bytes; resolves once they are on disk. */
  putFile(uri: string, path: string): Promise<ObjectInfo>;
  /** Stores bytes as they come. */
  put(uri: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<ObjectInfo>;
  /** Puts a private, writable copy of the object at `path`, making parent directories; the digest is that of the bytes that arrived. */
  getFile(uri: string, path: string): Promise<ObjectInfo>;
  /** Reads the object, or the part of it from `start` to `end` (exclusive). */
  get(uri: string, range?: { readonly start?: number; readonly end?: number }): AsyncIterable<Uint8Array>;
  stat(uri: string): Promise<ObjectInfo | undefined>;
  /** All objects below `uri/`, in key order. */
  list(uri: string): AsyncIterable<ObjectInfo>;
  /** Deletes the object and all below it; absent ones too. */
  delete(uri: string): Promise<void>;
}
