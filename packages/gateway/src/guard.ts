import type { IncomingMessage } from "node:http";
import { ApiError } from "@sluice/kubernetes";

/** Headers by which a proxy vouches for a user. Nobody stands in front of this door, so whoever sends one is lying. */
const IDENTITY_HEADERS =
  /^(?:kubeflow-|x-goog-authenticated-|x-remote-|x-forwarded-(?:user|email|groups|preferred-username)$|x-auth-request-|impersonate-)/iu;

/** Takes from a request what only the gateway may say. */
export function stripIdentity(request: IncomingMessage): void {
  const raw = request.rawHeaders;
  if (!raw.some((name, index) => index % 2 === 0 && IDENTITY_HEADERS.test(name))) return;
  request.rawHeaders = raw.filter((_, index) => !IDENTITY_HEADERS.test(raw[index - (index % 2)] ?? ""));
  for (const name of Object.keys(request.headers)) if (IDENTITY_HEADERS.test(name)) delete request.headers[name];
}

/** Whether a host name, without port, can only mean this machine. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.replace(/^\[|\]$/gu, "").toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(?:\.\d{1,3}){3}$/u.test(name);
}

/**
 * Throws `ApiError` Forbidden for what a foreign web page sends through the user's browser: a name that was made to point
 * at this machine (DNS rebinding), or an unsafe method from another origin.
 */
export function checkOrigin(request: Request): void {
  const host = request.headers.get("host") ?? new URL(request.url).host;
  if (!isLoopback(hostnameOf(`http://${host}`))) {
    throw new ApiError("Forbidden", `requests for host ${JSON.stringify(host)} are not answered here; use localhost or 127.0.0.1`);
  }
  if (request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS") return;
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  const foreign = origin === null ? site !== null && site !== "same-origin" && site !== "none" : !sameHost(origin, host);
  if (foreign) throw new ApiError("Forbidden", `a page of ${origin ?? "another site"} may not change anything here`);
}

/** The same machine and port; a page served on `localhost` may talk to `127.0.0.1`, but not one on another port. */
function sameHost(origin: string, host: string): boolean {
  if (!URL.canParse(origin) || !URL.canParse(`http://${host}`)) return false;
  const page = new URL(origin);
  return isLoopback(page.hostname) && page.protocol === "http:" && page.port === new URL(`http://${host}`).port;
}

function hostnameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : "";
}
