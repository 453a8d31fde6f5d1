import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type NetConnectOpts } from "node:net";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import type { HostCommand, Sandbox } from "../sandbox/sandbox.ts";

const LOOPBACK = "127.0.0.1";

/** Connects with a port of a pod, be it open to all or on the pod's loopback alone. Rejects with what a client is to be told. */
export async function dialPod({ podIp, inNetwork }: Pick<Sandbox, "podIp" | "inNetwork">, port: number): Promise<Duplex> {
  try {
    return await open(podIp, port);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ECONNREFUSED")) throw error;
    const relay = inNetwork({ argv: [process.execPath, "--input-type=commonjs", "-e", `(${relayProcess.toString()})(${port})`], env: {}, cwd: "/" });
    if (relay !== undefined) return openRelay(relay);
    if (podIp === LOOPBACK) throw error;
    return open(LOOPBACK, port);
  }
}

async function open(host: string, port: number): Promise<Duplex> {
  const options: NetConnectOpts = { host, port, allowHalfOpen: true, noDelay: true };
  const socket = connect(options);
  await once(socket, "connect");
  return socket;
}

/** This process cannot enter a network itself: a small one does, and hands on what comes. */
async function openRelay({ argv: [program = "", ...args], env, cwd }: HostCommand): Promise<Duplex> {
  const child = spawn(program, args, { env, cwd, stdio: "pipe", detached: true });
  const connected = once(child.stdout, "readable");
  const failed = text(child.stderr).then((message) => Promise.reject(new Error(message.trim())));
  await Promise.race([connected, failed, once(child, "error").then(([error]) => Promise.reject(error as Error))]);
  failed.catch(() => {}); // Connected is connected: what goes wrong later ends the streams.
  child.stdout.read(1);
  const relay = Duplex.from({ readable: child.stdout, writable: child.stdin });
  relay.once("close", () => child.kill("SIGKILL"));
  return relay;
}

/** The whole program of the relay: it is handed over as text, so that it must not refer to anything outside. It writes one byte once it is connected. */
function relayProcess(port: number): void {
  const { connect: dial } = process.getBuiltinModule("node:net");
  const socket = dial({ host: "localhost", port, allowHalfOpen: true });
  socket.once("error", (error) => {
    process.stderr.write(error instanceof AggregateError ? String(error.errors[0]) : error.message);
    process.exitCode = 1;
    process.stdin.destroy();
  });
  socket.once("connect", () => {
    process.stdout.write("+");
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  });
  socket.once("close", () => process.stdin.destroy());
}
