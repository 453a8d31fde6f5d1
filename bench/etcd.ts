import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type ClientHttp2Session } from "node:http2";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

/** A real etcd in a process of its own, as Kubernetes keeps its objects in. */
export interface Etcd extends AsyncDisposable {
  readonly clients: readonly EtcdClient[];
}

/** One client on a connection of its own; each request is a unary gRPC call. */
interface EtcdClient {
  /** Puts a value durably. */
  put(key: string, value: Uint8Array): Promise<void>;
  /** Reads a key as of now. */
  get(key: string): Promise<void>;
}

const READY_ATTEMPTS = 200;

/** Starts etcd on an empty directory, with the server's certificate of a cluster's PKI; undefined where there is none to start. */
export async function startEtcd(directory: string, { pki, clients }: { readonly pki: string; readonly clients: number }): Promise<Etcd | undefined> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const url = `https://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const options = {
    "data-dir": directory,
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "cert-file": join(pki, "apiserver.crt"),
    "key-file": join(pki, "apiserver.key"),
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
    logger: "zap",
    "log-outputs": "/dev/null",
  };
  const child = spawn(
    "etcd",
    Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    { stdio: "ignore" },
  );
  const missing = new Promise<undefined>((resolve) => child.once("error", () => resolve(undefined)));
  if ((await Promise.race([once(child, "spawn"), missing])) === undefined) return undefined;
  const ca = readFileSync(join(pki, "ca.crt"));
  const sessions: ClientHttp2Session[] = [];
  for (let client = 0; client < clients; client++) sessions.push(await open(url, ca));
  return {
    clients: sessions.map((session) => ({
      put: (key, value) => unary(session, "Put", message([Buffer.from(key), value])),
      get: (key) => unary(session, "Range", message([Buffer.from(key)])),
    })),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

/** Connects as soon as it listens. */
async function open(url: string, ca: Buffer): Promise<ClientHttp2Session> {
  for (let attempt = 0; ; attempt++) {
    const session = connect(url, { ca });
    try {
      await once(session, "connect");
      return session;
    } catch (error) {
      if (attempt === READY_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** A protobuf of byte fields, numbered from 1, behind the five bytes that gRPC puts before a message. */
function message(fields: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(fields.flatMap((field, index) => [Buffer.from([((index + 1) << 3) | 2, ...varint(field.length)]), field]));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function unary(session: ClientHttp2Session, method: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": `/etcdserverpb.KV/${method}`, "content-type": "application/grpc", te: "trailers" });
    let status = "missing";
    stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"])));
    stream.on("error", reject);
    stream.on("end", () => (status === "0" ? resolve() : reject(new Error(`etcd refused: gRPC status ${status}`))));
    stream.resume();
    stream.end(body);
  });
}
