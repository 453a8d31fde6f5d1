import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { isIPv6 } from "node:net";
import type { Clock } from "@sluice/controller";

/** A name server that knows what this one does not. */
export interface Upstream {
  readonly address: string;
  readonly port: number;
}

const PATIENCE_MS = 2000;

/** Asks the upstream servers in turn; undefined if none answers. */
export async function forwardQuery(
  message: Buffer,
  upstreams: readonly Upstream[],
  options: { readonly transport: "udp" | "tcp"; readonly clock: Clock },
): Promise<Buffer | undefined> {
  const ask = options.transport === "udp" ? askByUdp : askByTcp;
  for (const upstream of upstreams) {
    const answered = new AbortController();
    const patience = options.clock.sleep(PATIENCE_MS, answered.signal).then(() => undefined);
    try {
      const answer = await Promise.race([ask(message, upstream, answered.signal), patience]);
      if (answer !== undefined) return answer;
    } catch {
      // Not reachable: the next one may be.
    } finally {
      answered.abort();
    }
  }
  return undefined;
}

async function askByUdp(message: Buffer, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  signal.addEventListener("abort", () => socket.close(), { once: true });
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  socket.on("error", reject);
  socket.on("message", (answer) => {
    if (answer.length >= 2 && answer.readUInt16BE(0) === message.readUInt16BE(0)) resolve(answer);
  });
  // Connected, the socket takes answers from nobody else, and learns that nobody listens there.
  socket.connect(port, address, () => socket.send(message));
  return promise;
}

async function askByTcp(message: Buffer, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  const socket = connect({ host: address, port });
  signal.addEventListener("abort", () => socket.destroy(), { once: true });
  await once(socket, "connect", { signal });
  socket.write(framed(message));
  let received = Buffer.alloc(0);
  for await (const bytes of socket as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, bytes]);
    const [answer] = unframed(received).messages;
    if (answer !== undefined) return answer;
  }
  throw new Error(`${address} closed the connection`);
}

/** By TCP, each message follows its length. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The whole messages in what was received, and the rest. */
export function unframed(received: Buffer): { readonly messages: readonly Buffer[]; readonly rest: Buffer } {
  const messages: Buffer[] = [];
  let at = 0;
  while (received.length >= at + 2 && received.length >= at + 2 + received.readUInt16BE(at)) {
    const end = at + 2 + received.readUInt16BE(at);
    messages.push(received.subarray(at + 2, end));
    at = end;
  }
  return { messages, rest: received.subarray(at) };
}
