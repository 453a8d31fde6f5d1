import { once } from "node:events";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Agent, request, type RequestOptions } from "node:https";
import { loadKubeconfig } from "@sluice/client";
import type { WatchEvent } from "@sluice/kubernetes";

/** An answer as it came over the wire. */
interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The body as JSON. */
  json<T = unknown>(): T;
}

/** What to send; the body as it is, an object as JSON. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array | object;
}

/** The administrator of a cluster, or somebody without any credentials. */
type Who = "admin" | "nobody";

/** Plain HTTPS to a cluster. */
export interface RawClient extends Disposable {
  as(who: Who, path: string, raw?: RawRequest): Promise<RawAnswer>;
  options(who: Who): RequestOptions;
}

/** Speaks plain HTTPS to the cluster of a kubeconfig. */
export async function rawClient(kubeconfigPath: string): Promise<RawClient> {
  const { server, certificateAuthority: ca, clientCertificate: cert, clientKey: key } = await loadKubeconfig(kubeconfigPath);
  const agents = {
    nobody: new Agent({ keepAlive: true, ca }),
    admin: new Agent({ keepAlive: true, ca, cert, key }),
  };
  const { hostname, port } = new URL(server);
  const options = (who: Who): RequestOptions => ({ hostname, port, agent: agents[who] });
  return {
    options,
    as: (who, path, { method = "GET", headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = request({ ...options(who), path, method, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.once("error", reject);
          response.once("end", () => {
            const bytes = Buffer.concat(chunks);
            const answer = { status: response.statusCode ?? 0, headers: response.headers, bytes };
            resolve({ ...answer, json: <T>() => JSON.parse(bytes.toString()) as T });
          });
        });
        outgoing.once("error", reject);
        outgoing.end(body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
      }),
    [Symbol.dispose]: () => Object.values(agents).forEach((agent) => agent.destroy()),
  };
}

/** A stream that is read line by line; the lines are JSON. */
export interface Lines extends Disposable {
  readonly response: IncomingMessage;
  next(): Promise<WatchEvent | undefined>;
}

/** Opens a stream as the administrator. */
export async function openLines(raw: RawClient, path: string, headers: Record<string, string> = {}): Promise<Lines> {
  const outgoing = request({ ...raw.options("admin"), path, headers });
  outgoing.end();
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const lines = (async function* () {
    let rest = "";
    for await (const chunk of response) {
      rest += String(chunk);
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n")) {
        yield JSON.parse(rest.slice(0, end)) as WatchEvent;
        rest = rest.slice(end + 1);
      }
    }
  })();
  return { response, next: async () => (await lines.next()).value ?? undefined, [Symbol.dispose]: () => response.destroy() };
}
