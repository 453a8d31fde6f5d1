/**
 * The embedded cluster. So far its ground: a store that keeps live objects in memory and SQLite as the durable log, with
 * one commit per event-loop turn, and tells watchers only what is on disk.
 */
export * from "./store/store.ts";
export * from "./api-server/api-server.ts";
export * from "./api-server/api-server-options.ts";
export * from "./api-server/create-api-server.ts";
export type { VirtualResource } from "./api-server/registry.ts";
export type { NodeSpec } from "./node/node-spec.ts";
export { openImageLibrary, type ImageLibrary } from "./node/images/oci/image-library.ts";
export type { StoredImage } from "./node/images/oci/image-store.ts";
export * from "./start-cluster.ts";
export type { AuditOptions } from "./audit/open-audit-log.ts";
export type { AuditLevel, AuditPolicy, AuditRule, AuditStage } from "./audit/audit-policy.ts";
export type { OidcOptions } from "./auth/oidc-tokens.ts";
