import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { BuiltImage } from "./image.fixture.ts";

/** Who may pull, and how they prove it. */
export interface RegistryAuth {
  readonly kind: "basic" | "bearer";
  readonly username: string;
  readonly password: string;
}

/** A registry on this machine, for tests. */
export interface TestRegistry extends AsyncDisposable {
  /** As image names begin: `127.0.0.1:5000`. */
  readonly host: string;
  /** Serves an image under a name and a tag. */
  push(repository: string, tag: string, image: BuiltImage): void;
  /** What was asked for: `GET manifests/1`, with ` from 10` for a part. */
  readonly requests: string[];
  /** Of the next blob that is longer only so many bytes are sent before the connection breaks. */
  breakAfter: number | undefined;
  /** The next blob comes with its first byte changed. */
  isLying: boolean;
  /** How many blobs were being sent at once, at most. */
  readonly mostAtOnce: number;
}

/** Long enough for requests to overlap. */
const LATENCY_MS = 30;
const TOKEN = "a-token";

/** Opens a registry that speaks the distribution specification as far as pulling goes. */
export async function openRegistry(auth?: RegistryAuth): Promise<TestRegistry> {
  const repositories = new Map<string, { readonly tags: Map<string, BuiltImage>; readonly blobs: Map<string, Buffer> }>();
  const requests: string[] = [];
  let sending = 0;
  const registry = { breakAfter: undefined as number | undefined, isLying: false, mostAtOnce: 0 };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://registry");
    if (pathname === "/token") return sendToken(request, response, searchParams);
    const [, repository = "", kind = "", reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/u.exec(pathname) ?? [];
    if (!isAllowed(request)) return challenge(response, repository);
    const start = Number(/^bytes=(\d+)-$/u.exec(request.headers.range ?? "")?.[1] ?? 0);
    requests.push(`${request.method ?? ""} ${kind}/${reference}${start === 0 ? "" : ` from ${start}`}`);
    const found = repositories.get(repository);
    if (kind === "manifests") {
      const digest = found?.tags.get(reference)?.manifest.digest ?? reference;
      const content = found?.blobs.get(digest);
      if (content === undefined)
        return void response.writeHead(404).end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] }));
      return void response.writeHead(200, { "docker-content-digest": digest }).end(content);
    }
    const content = found?.blobs.get(reference);
    if (content === undefined) return void response.writeHead(404).end();
    sendBlob(response, content, start);
  });

  function sendBlob(response: ServerResponse, whole: Buffer, start: number): void {
    const content = Buffer.from(whole.subarray(start));
    if (registry.isLying) content[0] = (content[0] ?? 0) ^ 1;
    registry.isLying = false;
    registry.mostAtOnce = Math.max(registry.mostAtOnce, ++sending);
    response.on("close", () => sending--);
    response.writeHead(start === 0 ? 200 : 206, { "content-length": content.length });
    const { breakAfter } = registry;
    if (breakAfter === undefined || content.length < breakAfter) {
      setTimeout(() => response.end(content), LATENCY_MS);
      return;
    }
    registry.breakAfter = undefined;
    response.write(content.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), LATENCY_MS));
  }

  function isAllowed(request: IncomingMessage): boolean {
    if (auth === undefined) return true;
    return request.headers.authorization === (auth.kind === "bearer" ? `Bearer ${TOKEN}` : basic(auth));
  }

  function challenge(response: ServerResponse, repository: string): void {
    const header =
      auth?.kind === "bearer" ? `Bearer realm="http://${host()}/token",service="test",scope="repository:${repository}:pull"` : `Basic realm="test"`;
    response.writeHead(401, { "www-authenticate": header }).end(JSON.stringify({ errors: [{ message: "authentication required" }] }));
  }

  function sendToken(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    requests.push(`GET token for ${query.get("scope") ?? ""} of ${query.get("service") ?? ""}`);
    const isRight = auth !== undefined && request.headers.authorization === basic(auth);
    response.writeHead(isRight ? 200 : 401).end(JSON.stringify(isRight ? { token: TOKEN } : {}));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return Object.assign(registry, {
    host: host(),
    requests,
    push(repository: string, tag: string, image: BuiltImage) {
      const { tags, blobs } = repositories.get(repository) ?? { tags: new Map<string, BuiltImage>(), blobs: new Map<string, Buffer>() };
      tags.set(tag, image);
      for (const [digest, content] of image.blobs) blobs.set(digest, content);
      repositories.set(repository, { tags, blobs });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

function basic({ username, password }: RegistryAuth): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
