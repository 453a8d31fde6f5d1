import { ApiError, STATUS_CODES, UserError, type StatusReason } from "@sluice/kubernetes";

/** Where the server is. */
export interface PipelinesClientOptions {
  /** E.g. `http://127.0.0.1:8080`; empty for the page's own server. */
  readonly host: string;
  readonly fetch?: typeof fetch;
}

/** A page of a list. */
export interface PageOptions {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

/** One page of a list, and how many there are in all. */
export type Paged<Name extends string, Item> = { readonly [name in Name]: readonly Item[] } & {
  readonly total: number;
  readonly nextPageToken?: string;
};

const API = "/apis/v2beta1";

/** Requests of the REST API; paths begin below its version. */
export interface Http {
  /** The server's address, for messages. */
  readonly server: string;
  request(path: string, init?: RequestInit): Promise<Response>;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  remove(path: string): Promise<void>;
}

/** Requests to one server. What it refuses is an `ApiError` with its message; not reaching it, a `UserError`. */
export function createHttp({ host, fetch: send = globalThis.fetch }: PipelinesClientOptions): Http {
  const base = host.replace(/\/+$/u, "");
  const server = base === "" ? "this address" : base;

  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await send(`${base}${API}${path}`, init);
    } catch (cause) {
      if (init.signal?.aborted === true) throw cause;
      throw new UserError(`Sluice does not answer at ${server}`, { fix: "start it with `sluice up`", cause });
    }
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const get = async <T>(path: string): Promise<T> => (await (await request(path)).json()) as T;
  const post = async <T>(path: string, body: unknown): Promise<T> => {
    const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    return (await (await request(path, init)).json()) as T;
  };
  const remove = async (path: string): Promise<void> => void (await request(path, { method: "DELETE" }));
  return { server, request, get, post, remove };
}

/** What every page of a list says. */
export interface Page {
  readonly total_size?: number;
  readonly next_page_token?: string;
}

/** The rest of a page. */
export function restOf({ total_size: total = 0, next_page_token: next = "" }: Page): { total: number; nextPageToken?: string } {
  return { total, ...(next === "" ? {} : { nextPageToken: next }) };
}

/** A page's part of an address, with more. */
export function pageQuery({ pageSize, pageToken }: PageOptions, more: Readonly<Record<string, string | undefined>> = {}): string {
  return query({ page_size: pageSize, page_token: pageToken, ...more });
}

/** A query that leaves out what is not given. */
export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]]));
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
}

/** A filter of a list: what is `undefined` does not matter. */
export function filterOf(
  predicates: readonly { readonly operation: "EQUALS" | "IS_SUBSTRING"; readonly key: string; readonly string_value: string | undefined }[],
): string | undefined {
  const given = predicates.filter(({ string_value: value }) => value !== undefined);
  return given.length === 0 ? undefined : JSON.stringify({ predicates: given });
}

/** What the server said, whichever of its formats it said it in. */
async function refusal(response: Response): Promise<ApiError> {
  const text = await response.text();
  const message = messageOf(text) ?? `the server answered ${response.status} ${response.statusText}`.trim();
  const reasons = Object.entries(STATUS_CODES) as [StatusReason, number][];
  const reason = reasons.find(([, code]) => code === response.status)?.[0] ?? (response.status < 500 ? "BadRequest" : "InternalError");
  return new ApiError(reason, message, { code: response.status });
}

function messageOf(text: string): string | undefined {
  try {
    const body = JSON.parse(text) as { message?: unknown; error?: unknown; error_message?: unknown } | null;
    return [body?.message, body?.error_message, body?.error].find((value) => typeof value === "string" && value !== "") as string | undefined;
  } catch {
    return text.trim() === "" || text.trimStart().startsWith("<") ? undefined : text.trim().slice(0, 500); // Not JSON: the text itself.
  }
}
