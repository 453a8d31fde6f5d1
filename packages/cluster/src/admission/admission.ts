import type { UserInfo } from "@sluice/client";
import type { Resource, UnknownObject } from "@sluice/kubernetes";

/** What a request is about to do, in the version it came in, as admission judges it. */
export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly resource: Resource;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  /** Empty on a creation whose name the server is yet to generate. */
  readonly name: string;
  /** As it would be written; on CONNECT the options of the connection; absent on DELETE. */
  readonly object: UnknownObject | undefined;
  /** As it is stored; absent on CREATE and CONNECT. */
  readonly oldObject: UnknownObject | undefined;
  /** CreateOptions, UpdateOptions (of a patch too) or DeleteOptions; absent on CONNECT. */
  readonly options: Readonly<Record<string, unknown>> | undefined;
  readonly user: UserInfo;
  readonly dryRun: boolean;
}

/** What admission tells besides its decision. */
export interface AdmissionNotes {
  /** A `Warning` header of the response. */
  warn(message: string): void;
  /** An annotation of the request's audit event; of two with one key the first counts. */
  annotate(key: string, value: string): void;
}

/** One judge of writes. All that it needs of the world it was made with. Throws `ApiError` to refuse. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Whether it has any interest in such a request: one that no plugin handles costs nothing. */
  handles(request: AdmissionRequest): boolean;
  /** The object to go on with. Mutating plugins run in order, before defaults and validation are applied anew. */
  mutate?(request: AdmissionRequest & { readonly object: UnknownObject }, notes: AdmissionNotes): Promise<UnknownObject> | UnknownObject;
  /** Sees the object as it would be stored. */
  validate?(request: AdmissionRequest, notes: AdmissionNotes): Promise<void> | void;
  /**
   * Runs inside the write, after everything else, synchronously, and only for what is really written: what must be exact
   * although others write at the same time. The result takes the charge back if the write fails to commit.
   */
  charge?(request: AdmissionRequest): (() => void) | undefined;
}
