import { spawn } from "node:child_process";
import { connect, type ClientHttp2Session } from "node:http2";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";

/** A real etcd in a process of its own, as Kubernetes keeps its objects in. */
export interface Etcd extends AsyncDisposable {
  /** Puts a value durably: one unary gRPC call. */
  put(key: string, value: Uint8Array): Promise<void>;
}

/** As many connections as `etcd`'s own benchmark would use for a few dozen clients. */
const CONNECTIONS = 4;
const READY_ATTEMPTS = 200;

/** Starts etcd on an empty directory; undefined where there is none to start. */
export async function startEtcd(directory: string): Promise<Etcd | undefined> {
  const [client, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const options = {
    "data-dir": directory,
    "listen-client-urls": url,
    "advertise-client-urls": url,
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
  const failed = new Promise<undefined>((resolve) => child.once("error", () => resolve(undefined)));
  const spawned = await Promise.race([once(child, "spawn"), failed]);
  if (spawned === undefined) return undefined;
  await untilReady(`${url}/health`);
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(url));
  let next = 0;
  return {
    put: (key, value) => unary(sessions[next++ % CONNECTIONS], "/etcdserverpb.KV/Put", putRequest(Buffer.from(key), value)),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function untilReady(url: string): Promise<void> {
  for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
    try {
      if ((await fetch(url)).ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("etcd did not become ready");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** `PutRequest { bytes key = 1; bytes value = 2; }` behind the five bytes of a gRPC message. */
function putRequest(key: Uint8Array, value: Uint8Array): Buffer {
  const message = Buffer.concat([Buffer.from([0x0a, ...varint(key.length)]), key, Buffer.from([0x12, ...varint(value.length)]), value]);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function unary(session: ClientHttp2Session | undefined, path: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    if (session === undefined) return reject(new Error("no connection to etcd"));
    const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" });
    let status: string | undefined;
    stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"])));
    stream.on("error", reject);
    stream.on("end", () => (status === "0" ? resolve() : reject(new Error(`etcd refused a put: gRPC status ${status ?? "missing"}`))));
    stream.resume();
    stream.end(body);
  });
}
