/**
 * Artifact bytes behind one interface. The embedded home keeps them in a directory: every object is an entry of an index that
 * tells the digest of its bytes; equal bytes are kept once. An acknowledged object is on disk and whole, and one that was not
 * finished is not to be seen, whenever the process ends. Other stores, near and far, look the same; their clients are loaded
 * when they are first used.
 */
export { canonicalUri, isWithin, type CanonicalUri, type UriScheme } from "./canonical-uri.ts";
export { openDirectoryStore, type DirectoryStoreOptions } from "./directory-store.ts";
export { fileStore, type FileDirectory } from "./file-store.ts";
export { gsStore, type GsStoreOptions } from "./gs-store.ts";
export { httpStore, type HttpStoreOptions } from "./http-store.ts";
export type { ObjectInfo, ObjectStore } from "./object-store.ts";
export { parseObjectUri, type ObjectAddress } from "./object-uri.ts";
export { s3Store, type S3StoreOptions } from "./s3-store.ts";
export { scopedStore } from "./scoped-store.ts";
