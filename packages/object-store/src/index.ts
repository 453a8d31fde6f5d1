/**
 * Artifact bytes behind one interface. The embedded home keeps them in a directory: every object is an entry of an index that
 * tells the digest of its bytes; equal bytes are kept once. An acknowledged object is on disk and whole, and one that was not
 * finished is not to be seen, whenever the process ends.
 */
export { openDirectoryStore, type DirectoryStoreOptions } from "./directory-store.ts";
export type { ObjectInfo, ObjectStore } from "./object-store.ts";
export { parseObjectUri, type ObjectAddress } from "./object-uri.ts";
