import { ApiError } from "@sluice/kubernetes";

/** What went wrong with a file, as an `ApiError` that says what to do; `doing` completes "cannot". */
export function storageError(doing: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || !("code" in cause) || cause instanceof ApiError) return cause;
  switch (cause.code) {
    case "ENOSPC":
    case "EDQUOT":
      return new ApiError("InternalError", `cannot ${doing}: the disk is full. Free some space and try again`, { code: 507, cause });
    case "EFBIG":
      return new ApiError("InternalError", `cannot ${doing}: the file is larger than the file system allows`, { code: 507, cause });
    case "ENOENT":
    case "ENOTDIR":
      return new ApiError("NotFound", `cannot ${doing}: ${cause.message}`, { cause });
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new ApiError("Forbidden", `cannot ${doing}: ${cause.message}. Give this user access to it`, { cause });
    default:
      return "syscall" in cause ? new ApiError("InternalError", `cannot ${doing}: ${cause.message}`, { cause }) : cause;
  }
}
