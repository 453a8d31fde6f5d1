import type { Status, StatusDetails } from "./object.ts";

/** The reasons that Kubernetes clients branch on, with their HTTP codes. */
export const STATUS_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

/** A reason in the sense of `Status.reason`. */
export type StatusReason = keyof typeof STATUS_CODES;

/** A request that the Kubernetes API refused: speaks `Status` on the wire. */
export class ApiError extends Error {
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** What the response warns of besides. */
  warnings: readonly string[] = [];

  constructor(reason: StatusReason, message: string, options: { code?: number; details?: StatusDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ApiError";
    this.reason = reason;
    this.code = options.code ?? STATUS_CODES[reason];
    this.details = options.details;
  }

  /** The error as the wire carries it. */
  toStatus(): Status {
    return {
      apiVersion: "v1",
      kind: "Status",
      metadata: {},
      status: "Failure",
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** A mistake of the user's: printed without a stack, with what to do about it. */
export class UserError extends Error {
  readonly fix: string | undefined;

  constructor(message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "UserError";
    this.fix = options.fix;
  }
}

/** Retrying cannot help: the controller stops and says so in a condition. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

/** Whether `error` is an `ApiError`, with that reason if one is given. */
export function isApiError(error: unknown, reason?: StatusReason): error is ApiError {
  return error instanceof ApiError && (reason === undefined || error.reason === reason);
}
