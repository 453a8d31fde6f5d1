import { createHash } from "node:crypto";
import type { OutgoingHttpHeaders } from "node:http";
import type { ApiRequest } from "@sluice/client";
import { encodeJson } from "../store/encoding.ts";

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;
const tags = new WeakMap<object, string>();

/** The headers by which clients keep discovery and OpenAPI documents, and ask whether they have changed. */
export function documentHeaders(
  { method, path, query }: Pick<ApiRequest, "method" | "path" | "query">,
  document: object,
  now: number,
): OutgoingHttpHeaders {
  const isDiscovery = path === "/api" || path === "/apis";
  if (method !== "GET" || (!isDiscovery && !path.startsWith("/openapi/v3"))) return {};
  let tag = tags.get(document);
  if (tag === undefined) tags.set(document, (tag = `"${createHash("sha256").update(encodeJson(document)).digest("hex").toUpperCase()}"`));
  if (isDiscovery) return { etag: tag, vary: "Accept", "cache-control": "public" };
  // The address has changed when the document has.
  const lasts = query["hash"] === undefined ? {} : { "cache-control": "public, immutable", expires: new Date(now + YEAR_MS).toUTCString() };
  return { etag: tag, vary: "Accept", ...lasts };
}
