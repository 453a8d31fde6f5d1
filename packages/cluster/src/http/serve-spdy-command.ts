import type { Duplex } from "node:stream";
import type { Connection } from "@sluice/client";
import { sizesIn, statusOf } from "./serve-command.ts";
import { SpdySession } from "./spdy/session.ts";

type Command = Extract<Connection, { kind: "command" }>;

/** The protocol of commands over SPDY: a stream each for input, output, errors, terminal sizes, and the Status of the end. */
export const SPDY_COMMAND_PROTOCOL = "v4.channel.k8s.io";

/** Runs a command over the streams of a SPDY connection, once the client has opened all that it asked for. */
export async function serveSpdyCommand(connection: Duplex, command: Command, signal: AbortSignal): Promise<void> {
  const { stdin, stdout, stderr, tty } = command;
  const wanted = new Set([
    "error",
    ...(stdin ? ["stdin"] : []),
    ...(stdout ? ["stdout"] : []),
    ...(stderr ? ["stderr"] : []),
    ...(tty ? ["resize"] : []),
  ]);
  const streams = new Map<string, Duplex>();
  const gone = new AbortController();
  const session = new SpdySession(connection, (stream, { streamtype: type = "" }) => {
    if (!wanted.has(type) || streams.has(type)) return void stream.destroy();
    streams.set(type, stream);
    if (streams.size === wanted.size) void run();
  });
  const run = async (): Promise<void> => {
    const resize = streams.get("resize");
    const status = await statusOf(command, {
      stdin: streams.get("stdin"),
      stdout: streams.get("stdout"),
      stderr: streams.get("stderr"),
      sizes: resize === undefined ? undefined : sizesIn(resize),
      signal: AbortSignal.any([gone.signal, signal]),
    });
    for (const output of ["stdout", "stderr"]) streams.get(output)?.end();
    streams.get("error")?.end(JSON.stringify(status), () => session.close());
  };
  try {
    await session.run();
  } catch {
    // The client is gone, or does not speak SPDY: either way nobody waits for the command.
  } finally {
    gone.abort();
  }
}
