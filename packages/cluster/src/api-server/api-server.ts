import type { Duplex } from "node:stream";
import type { ApiRequest, ApiResponse, LogOptions, RemoteCommand, Transport, UserInfo } from "@sluice/client";
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

/** A command that is to run in a container beside what runs there. */
export interface ExecOptions {
  readonly container: string;
  readonly command: readonly string[];
  /** It gets a terminal; then its errors are in its output. */
  readonly tty: boolean;
}

/** How to join a container's own process. */
export interface AttachOptions {
  readonly container: string;
  /** The client writes what the process reads. */
  readonly stdin: boolean;
}

/** What the API server asks of the nodes: the parts of a pod that no store holds. */
export interface NodeAccess {
  /** A container's log; throws `ApiError` BadRequest with kubelet's wording while there is none to show. */
  log(pod: ObjectKey, options: LogOptions): Promise<AsyncIterable<Uint8Array>>;
  /** A command in a running container; throws `ApiError` where it cannot run. */
  exec(pod: ObjectKey, options: ExecOptions): Promise<RemoteCommand>;
  /** A running container's own process, as a command that lasts until it ends. */
  attach(pod: ObjectKey, options: AttachOptions): Promise<RemoteCommand>;
  /** Connects with a port of the pod, also with one that listens on its loopback alone. */
  dial(pod: ObjectKey, port: number): Promise<Duplex>;
}
