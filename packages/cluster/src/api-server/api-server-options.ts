import type { ApiRequest, ApiResponse, UserInfo } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import type { Resource, UnknownObject } from "@sluice/kubernetes";
import type { AdmissionPlugin } from "../admission/admission.ts";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Store } from "../store/store.ts";
import type { ApiServer, NodeAccess } from "./api-server.ts";
import type { VirtualResource } from "./registry.ts";

/** What a request wants to do, as RBAC judges it: an action on a resource, or on a path that is none. */
export type RequestAttributes =
  | {
      readonly kind: "resource";
      readonly verb: string;
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly subresource?: string | undefined;
      readonly namespace?: string | undefined;
      readonly name?: string | undefined;
    }
  | { readonly kind: "path"; readonly verb: string; readonly path: string };

/** Who may do what. */
export interface RequestAuthorizer {
  authorize(
    user: UserInfo,
    attributes: RequestAttributes,
  ): Promise<{ readonly allowed: boolean; readonly reason: string }> | { readonly allowed: boolean; readonly reason: string };
}

/** Refuses, by throwing, what a user may not write although they may write the resource. */
export type WriteGuard = (write: {
  readonly user: UserInfo;
  readonly resource: Resource;
  readonly next: UnknownObject;
  readonly current: UnknownObject | undefined;
}) => void;

/** What the API server is made of; everything that does I/O, or decides by chance or time, comes from outside. */
export interface ApiServerOptions {
  readonly store: Store;
  /** The built-in kinds. */
  readonly resources: readonly Resource[];
  readonly authorizer: RequestAuthorizer;
  /** Sees every object before it is written. */
  readonly guard?: WriteGuard;
  /** Judge every write in this order; nobody does unless given. */
  readonly admission?: readonly AdmissionPlugin[];
  /** Hears of every request, and of what came of it. */
  readonly audit?: AuditLog | undefined;
  /** Who a bearer token speaks for; throws Unauthorized. */
  readonly authenticate: (token: string) => Promise<UserInfo>;
  /** Resources that are answered, not stored: reviews, and subresources such as `serviceaccounts/token`. */
  readonly virtual?: readonly VirtualResource[];
  readonly nodes: (name: string) => NodeAccess | undefined;
  /** Answers paths that are no resources, such as discovery and `/version`; undefined is 404. */
  readonly paths?: (request: ApiRequest, server: ApiServer) => ApiResponse | undefined;
  /** Objects that must exist before the first request, such as the bootstrap roles. */
  readonly bootstrap?: readonly UnknownObject[];
  readonly clock: Clock;
  /** A fresh UUID. */
  readonly newId: () => string;
  readonly logger: Logger;
}
