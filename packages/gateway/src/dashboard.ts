import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { streamOf } from "./stream.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** Mantine writes style elements; everything else comes from here. */
const POLICY = [
  "default-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "frame-src 'self' blob:",
  "worker-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Sluice</title>
<style>body{font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}code{background:#8883;padding:.1em .3em;border-radius:3px}</style>
<h1>Sluice is running</h1>
<p>Its dashboard is not built yet. In the repository, run</p>
<p><code>npm run build</code></p>
<p>and reload this page; there is no need to restart. The APIs and the command line work without it.</p>
</html>
`;

/** Serves the built dashboard from `directory`: files as they are, and its page for every other path, which it routes itself. */
export function dashboard(directory: string | undefined): (request: Request) => Promise<Response> {
  return async (request) => {
    const page = directory === undefined ? undefined : await readFile(join(directory, "index.html")).catch(() => undefined);
    if (directory === undefined || page === undefined) return html(NOT_BUILT, request, 503);
    const path = pathOf(request.url);
    if (path === undefined) return new Response("bad path\n", { status: 400 });
    const type = TYPES[extname(path)];
    if (type === undefined || path === "/index.html") return html(page, request, 200);
    const file = join(directory, path);
    const info = await stat(file).catch(() => undefined);
    if (info?.isFile() !== true) return new Response("not found\n", { status: 404, headers: { "content-type": "text/plain" } });
    const hashed = path.startsWith("/assets/");
    const etag = `"${info.size.toString(36)}-${Math.trunc(info.mtimeMs).toString(36)}"`;
    const headers = {
      "content-type": type,
      "content-length": String(info.size),
      "cache-control": hashed ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": POLICY,
      etag,
    };
    if (request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: unchanged(etag) });
    if (request.method === "HEAD") return new Response(null, { headers });
    return new Response(streamOf(createReadStream(file)), { headers });
  };
}

/** The request's path if it stays below the directory. */
function pathOf(url: string): string | undefined {
  try {
    const path = normalize(decodeURIComponent(new URL(url).pathname));
    return path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..") ? path : undefined;
  } catch {
    return undefined; // A malformed escape names nothing.
  }
}

/** What a browser puts in place of the headers it kept: without a policy, the gateway would add that of data, which lets no page live. */
function unchanged(etag: string): Record<string, string> {
  return { etag, "content-security-policy": POLICY };
}

function html(page: string | Buffer, request: Request, status: number): Response {
  const etag = `"${createHash("sha256").update(page).digest("base64url").slice(0, 20)}"`;
  if (status === 200 && request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: unchanged(etag) });
  const headers = { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache", "content-security-policy": POLICY, etag };
  return new Response(request.method === "HEAD" ? null : typeof page === "string" ? page : new Uint8Array(page), { status, headers });
}
