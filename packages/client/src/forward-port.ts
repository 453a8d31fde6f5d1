import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { ObjectKey } from "@sluice/kubernetes";
import type { ClusterAccess } from "./cluster-access.ts";
import { openChannels } from "./open-channels.ts";

/** What leads to a port of a pod. */
export interface ForwardPortOptions {
  /** The pod's port. */
  readonly port: number;
  /** This machine's, on its loopback; 0 takes any. */
  readonly localPort: number;
  /** Hears why a connection could not be made or broke. */
  failed(reason: string): void;
}

/** A port of this machine that leads to one of a pod, until it is disposed of. */
export interface ForwardedPort extends AsyncDisposable {
  readonly localPort: number;
}

const DATA = 0;
const ERROR = 1;
/** The first message of each channel names the port. */
const PORT_BYTES = 2;

/** Lets a port of this machine's loopback lead to a port of a pod, through the Kubernetes API. Rejects if the local port is taken. */
export async function forwardPort(access: ClusterAccess, pod: ObjectKey, { port, localPort, failed }: ForwardPortOptions): Promise<ForwardedPort> {
  const stop = new AbortController();
  const open = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => open.delete(socket));
    carry(access, pod, { port, socket, signal: stop.signal, failed }).catch((error: unknown) => {
      socket.destroy();
      if (!stop.signal.aborted) failed(error instanceof Error ? error.message : String(error));
    });
  });
  server.listen(localPort, "127.0.0.1");
  await once(server, "listening");
  return {
    localPort: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      stop.abort();
      const closed = once(server, "close");
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

interface Carried extends Pick<ForwardPortOptions, "port" | "failed"> {
  readonly socket: Socket;
  readonly signal: AbortSignal;
}

async function carry(access: ClusterAccess, pod: ObjectKey, { port, socket, signal, failed }: Carried): Promise<void> {
  const request = { subresource: "portforward", query: [["ports", String(port)]], protocols: ["v4.channel.k8s.io"], signal } as const;
  const channels = await openChannels(access, pod, request);
  socket.once("close", () => channels.close());
  socket.on("data", (chunk: Buffer) => {
    socket.pause();
    void channels.send(DATA, chunk).then(() => socket.resume());
  });
  socket.resume();
  const skipped = new Map([
    [DATA, PORT_BYTES],
    [ERROR, PORT_BYTES],
  ]);
  await channels.receive(async (channel, bytes) => {
    const skip = Math.min(skipped.get(channel) ?? 0, bytes.length);
    skipped.set(channel, (skipped.get(channel) ?? 0) - skip);
    const rest = bytes.subarray(skip);
    if (rest.length === 0) return;
    if (channel === ERROR) failed(rest.toString());
    else if (!socket.write(rest)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
  });
  socket.end();
}
