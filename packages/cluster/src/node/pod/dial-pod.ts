import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Sandbox } from "../sandbox/sandbox.ts";

/** Connects with a port of a pod. */
export async function dialPod({ podIp }: Sandbox, port: number): Promise<Duplex> {
  return open(podIp, port);
}

async function open(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  await once(socket, "connect");
  return socket;
}
