/** Artifact bytes: a content-addressed directory in the embedded home, S3 in the cluster home, behind one interface. */
export * from "./object-store.ts";
