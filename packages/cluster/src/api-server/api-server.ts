import type { ApiRequest, ApiResponse, LogOptions, Transport, UserInfo } from "@sluice/client";
import type { RequestOrigin } from "../audit/audit-log.ts";
import type { ObjectKey, Resource } from "@sluice/kubernetes";

/** The Kubernetes API without sockets. */
export interface ApiServer extends AsyncDisposable {
  /** Answers one request of an authenticated user: authorisation, admission, validation, storage. Throws `ApiError`. Without an origin it is this process's own. */
  send(request: ApiRequest, user: UserInfo, origin?: RequestOrigin): Promise<ApiResponse>;
  /** The in-process transport of a client that acts as `user`. */
  transport(user: UserInfo): Transport;
  /** Who a bearer token speaks for; throws `ApiError` Unauthorized. */
  authenticate(token: string): Promise<UserInfo>;
  /** All kinds that are served now, the custom ones included: what discovery and OpenAPI show. The same list until it changes. */
  resources(): readonly Resource[];
  /** Calls `listener` after every change of `resources`; the result stops that. */
  onResourcesChange(listener: () => void): () => void;
}

/** What the API server asks of the nodes: the parts of a pod that no store holds. */
export interface NodeAccess {
  /** A container's log; throws `ApiError` BadRequest with kubelet's wording while there is none to show. */
  log(pod: ObjectKey, options: LogOptions): Promise<AsyncIterable<Uint8Array>>;
}
