import { ApiError, UserError, type StatusReason } from "@sluice/kubernetes";

/** `google.rpc.Status` as the REST APIs of Kubeflow Pipelines carry it. */
export interface RpcStatus {
  /** gRPC's number. */
  readonly code: number;
  readonly message: string;
  readonly details: readonly { readonly "@type": string; readonly code: number; readonly message: string }[];
}

const RPC_CODES: Partial<Record<StatusReason, number>> = {
  BadRequest: 3,
  Invalid: 3,
  Unauthorized: 16,
  Forbidden: 7,
  NotFound: 5,
  MethodNotAllowed: 12,
  AlreadyExists: 6,
  Conflict: 10,
  Gone: 5,
  Expired: 9,
  RequestEntityTooLarge: 8,
  TooManyRequests: 8,
  ServiceUnavailable: 14,
  Timeout: 4,
};

/** What an object's present state forbids, and another would allow: gRPC's FAILED_PRECONDITION. */
export class PreconditionError extends ApiError {
  constructor(message: string) {
    super("BadRequest", message);
  }
}

/** Any error as an `ApiError`: a user's mistake is a bad request, and what nobody foresaw says no more than that. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof UserError) {
    return new ApiError("BadRequest", error.fix === undefined ? error.message : `${error.message}: ${error.fix}`, { cause: error });
  }
  return new ApiError("InternalError", "an unexpected error happened; the server's log has it", { cause: error });
}

/** An error as `google.rpc.Status`. */
export function rpcStatusOf(error: ApiError): RpcStatus {
  const code = error instanceof PreconditionError ? 9 : (RPC_CODES[error.reason] ?? 13);
  const { message } = error;
  return { code, message, details: [{ "@type": "type.googleapis.com/google.rpc.Status", code, message }] };
}

/** The HTTP status of such an answer: gRPC knows one kind of invalid argument. */
export function rpcHttpStatusOf({ code }: ApiError): number {
  return code === 422 ? 400 : code;
}
