import type { UnknownObject, WatchEvent } from "@sluice/kubernetes";
import type { Connection } from "./connection.ts";

/** Who makes a request, after authentication. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** One API request, before any encoding. */
export interface ApiRequest {
  readonly method: string;
  /** Path without query, e.g. `/api/v1/namespaces/a/pods/x/log`. */
  readonly path: string;
  /** Of a parameter that is given several times the first value. */
  readonly query: Readonly<Record<string, string>>;
  /** All values of the parameters that are given several times, such as `command`. */
  readonly repeated?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Media type of `body`; only patches need one. */
  readonly contentType?: string | undefined;
  readonly body?: unknown;
  /** The JSON text of `body`, where it came as such: only it shows that a field was given twice. */
  readonly bodyText?: string | undefined;
  /** The media types that the client takes, as its Accept header says; only discovery asks. */
  readonly accept?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What comes back: an object, a stream of watch events, a stream of bytes, or a connection to be made. Failures throw `ApiError`. */
export type ApiResponse =
  | {
      readonly kind: "object";
      readonly status: number;
      readonly object: UnknownObject;
      readonly warnings?: readonly string[];
      /** What the object's JSON is called, where that says more than `application/json`. */
      readonly contentType?: string;
    }
  | { readonly kind: "watch"; readonly events: AsyncIterable<WatchEvent> }
  | { readonly kind: "bytes"; readonly contentType: string; readonly bytes: AsyncIterable<Uint8Array> }
  | { readonly kind: "connect"; readonly connection: Connection };

/** How a client reaches an API server: over HTTPS, or in the same process without socket or JSON. */
export interface Transport {
  send(request: ApiRequest): Promise<ApiResponse>;
}
