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
  return socket.on("error", ignore);
}

/** This process cannot enter a network itself: a small one does, and hands on what comes. */
async function openRelay({ argv: [program = "", ...args], env, cwd }: HostCommand): Promise<Duplex> {
  const child = spawn(program, args, { env, cwd, stdio: "pipe", detached: true });
  for (const stream of child.stdio) stream?.on("error", ignore);
  const complaint = text(child.stderr);
  await once(child, "spawn");
  await once(child.stdout, "readable");
  if (child.stdout.read(1) === null) throw new Error((await complaint).trim());
  const relay = Duplex.from({ readable: child.stdout, writable: child.stdin }).on("error", ignore);
  relay.once("close", () => child.kill("SIGKILL"));
  return relay;
}

/** An error is an end, which whoever uses the stream sees. */
function ignore(): void {}

/** The whole program of the relay: it is handed over as text, so that it must not refer to anything outside. It writes one byte once it is connected. */
function relayProcess(port: number): void {
  const { connect: dial, Socket } = process.getBuiltinModule("node:net");
  // Unlike those of `process`, these can be closed one by one.
  const input = new Socket({ fd: 0, readable: true, writable: false });
  const output = new Socket({ fd: 1, readable: false, writable: true });
  const socket = dial({ host: "localhost", port, allowHalfOpen: true });
  socket.once("error", (error) => {
    process.stderr.write(error instanceof AggregateError ? String(error.errors[0]) : error.message);
    process.exitCode = 1;
  });
  socket.once("connect", () => {
    output.write("+");
    input.pipe(socket);
    socket.pipe(output);
  });
  socket.once("close", () => {
    input.destroy();
    output.end();
  });
}
