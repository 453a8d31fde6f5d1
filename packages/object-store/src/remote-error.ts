import { ApiError, isApiError, type StatusReason } from "@sluice/kubernetes";
import { storageError } from "./storage-error.ts";

/** What went wrong with a store on a network, as an `ApiError`; `doing` completes "cannot" and names the URI, `where` says which store it is. */
export function remoteError(doing: string, where: string, cause: unknown): unknown {
  const all = causesOf(cause);
  const told = all.find((each) => isApiError(each));
  if (told !== undefined) return told;
  const code = all.map(({ code: each }) => each).find((each) => typeof each === "string") ?? "";
  const status = all.map(statusOf).find((each) => each !== undefined);
  const said = (all.map(({ message = "" }) => message).find((each) => each !== "" && each !== "UnknownError") ?? "").trim().replace(/\.+$/u, "");
  const because = said === "" ? "" : `: ${said}`;
  const fail = (reason: StatusReason, what: string): ApiError => new ApiError(reason, `cannot ${doing} in ${where}: ${what}`, { cause });
  if (/^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT|EPIPE|CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/u.test(code))
    return fail("ServiceUnavailable", `it cannot be reached${because}. Check its endpoint, and whether it speaks HTTPS (disableSSL)`);
  if (status === 401 || status === 403) return fail("Forbidden", `access is denied${because}. Check the credentials, and what they allow`);
  if (status === 404) return fail("NotFound", ["", "Not Found", "NotFound"].includes(said) ? "there is no such object or bucket" : said);
  if (status === 429 || status === 503) return fail("ServiceUnavailable", `it is too busy${because}`);
  if (status === 301 || status === 307) return fail("BadRequest", `the bucket is elsewhere${because}. Check the region and the endpoint`);
  if (code !== "") return storageError(doing, cause);
  return fail("InternalError", said === "" ? String(cause) : said);
}

interface Fault {
  readonly code?: unknown;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number };
}

function causesOf(error: unknown): Fault[] {
  const causes: Fault[] = [];
  for (let next = error; next instanceof Error && causes.length < 5; next = next.cause) {
    causes.push(next);
    if (next instanceof AggregateError) causes.push(...next.errors.filter((each: unknown) => each instanceof Error));
  }
  return causes;
}

function statusOf({ code, $metadata, $response }: Fault): number | undefined {
  return $metadata?.httpStatusCode ?? $response?.statusCode ?? (typeof code === "number" ? code : undefined);
}
