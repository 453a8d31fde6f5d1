import { connect } from "node:http2";

/** What a server's health is asked of. */
export interface GrpcHealthTarget {
  readonly host: string;
  readonly port: number;
  /** The service of that server; the server itself, if empty. */
  readonly service: string;
}

const STATUS_NAMES: readonly string[] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const UNIMPLEMENTED = 12;
/** A message of gRPC begins with a byte that says whether it is compressed, and its length. */
const PREFIX_BYTES = 5;
const VARINT = 0;
const BYTES = 2;

/** Asks a server by `grpc.health.v1` for its health: `SERVING` if it is well. Throws where it does not answer so. */
export function checkGrpcHealth({ host, port, service }: GrpcHealthTarget, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
  session.on("error", reject);
  const stream = session.request({
    ":method": "POST",
    ":path": "/grpc.health.v1.Health/Check",
    "content-type": "application/grpc",
    "user-agent": "kube-probe/1.34",
    te: "trailers",
  });
  const abort = (): void => reject(new Error(`timeout: failed to connect service "${host}:${port}"`));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  let status: unknown = "";
  let message: unknown = "";
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    status = headers["grpc-status"] ?? status;
    message = headers["grpc-message"] ?? message;
  };
  const parts: Buffer[] = [];
  stream.on("response", note);
  stream.on("trailers", note);
  stream.on("data", (bytes: Buffer) => parts.push(bytes));
  stream.on("error", reject);
  stream.on("close", () => {
    if (Number(status) === UNIMPLEMENTED)
      reject(new Error(`this server does not implement the grpc health protocol (grpc.health.v1.Health): ${String(message)}`));
    else if (status !== "0") reject(new Error(`rpc error: code = ${String(status)} desc = ${decodeURIComponent(String(message))}`));
    else resolve(statusName(statusIn(Buffer.concat(parts).subarray(PREFIX_BYTES))));
  });
  stream.end(encodeRequest(service));
  return promise.finally(() => {
    signal.removeEventListener("abort", abort);
    session.destroy();
  });
}

function statusName(status: number): string {
  return STATUS_NAMES[status] ?? String(status);
}

/** The request message: its first field is the service's name. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([(1 << 3) | BYTES, ...varint(name.length)]), name]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** The response message: its first field is the status, which is absent where it is 0. */
function statusIn(message: Buffer): number {
  return message[0] === ((1 << 3) | VARINT) ? (message[1] ?? 0) : 0;
}
