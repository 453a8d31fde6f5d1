import { createPrivateKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { issueCertificate } from "../auth/certificate.ts";

/** What a webhook of a test is asked. */
interface Asked {
  readonly uid: string;
  readonly [field: string]: unknown;
  readonly object: Record<string, unknown> | null;
  readonly oldObject: Record<string, unknown> | null;
}

/** How a webhook of a test answers: what its response holds besides the uid. */
type Answer = (request: Asked) => object | Promise<object>;

/** A webhook server with a certificate of its own. */
export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
  /** As configurations carry it. */
  readonly caBundle: string;
  /** What each path was asked, in order. */
  readonly asked: { readonly path: string; readonly request: Asked }[];
  /** How many connections were opened. */
  readonly connections: () => number;
  /** Answers a path. */
  on(path: string, answer: Answer): void;
  /** The client configuration that reaches a path by URL. */
  at(path: string): object;
}

/** Starts a webhook server whose certificate names `names`. */
export async function startWebhookServer(names: readonly string[] = ["127.0.0.1", "hook.default.svc"]): Promise<WebhookServer> {
  const authority = newKeys();
  const server = newKeys();
  const subject = { commonName: "webhook-ca" };
  const days = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
  const ca = issueCertificate({
    subject,
    publicKey: authority.publicKey,
    issuer: { subject, key: authority.privateKey },
    use: "authority",
    serial: randomUUID(),
    ...days,
  });
  const cert = issueCertificate({
    subject: { commonName: "webhook" },
    publicKey: server.publicKey,
    issuer: { subject, key: authority.privateKey },
    use: "server",
    names,
    serial: randomUUID(),
    ...days,
  });
  const answers = new Map<string, Answer>();
  const asked: WebhookServer["asked"] = [];
  let connections = 0;
  const https = createServer({ cert, key: createPrivateKey(pemOf(server.privateKey)).export({ format: "pem", type: "pkcs8" }) }, (req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const path = req.url?.split("?")[0] ?? "";
      const answer = answers.get(path);
      if (answer === undefined) {
        res.writeHead(404).end();
        return;
      }
      const { request, apiVersion, kind } = JSON.parse(Buffer.concat(chunks).toString()) as { request: Asked; apiVersion: string; kind: string };
      asked.push({ path, request });
      void Promise.resolve(answer(request)).then((response) => {
        res.writeHead(200, { "content-type": "application/json" });
        res.end(JSON.stringify({ apiVersion, kind, response: { uid: request.uid, ...response } }));
      });
    });
  });
  https.on("secureConnection", () => connections++);
  https.listen(0, "127.0.0.1");
  await once(https, "listening");
  const { port } = https.address() as AddressInfo;
  const caBundle = Buffer.from(ca).toString("base64");
  return {
    port,
    caBundle,
    asked,
    connections: () => connections,
    on: (path, answer) => answers.set(path, answer),
    at: (path) => ({ url: `https://127.0.0.1:${port}${path}`, caBundle }),
    [Symbol.asyncDispose]: async () => {
      https.closeAllConnections();
      https.close();
      await once(https, "close");
    },
  };
}

/** An answer that lets a request pass with changes. */
export function patching(...operations: object[]): object {
  return { allowed: true, patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(operations)).toString("base64") };
}

function newKeys(): ReturnType<typeof generateKeyPairSync> {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function pemOf(key: { export(options: { format: "pem"; type: "pkcs8" }): string | Buffer }): string {
  return key.export({ format: "pem", type: "pkcs8" }).toString();
}
