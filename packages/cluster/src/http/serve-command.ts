import type { Connection, TerminalSize } from "@sluice/client";
import { ApiError, isApiError } from "@sluice/kubernetes";
import type { WebSocket } from "ws";
import { WebSocketChannels, type ChannelFraming } from "./websocket-channels.ts";

type Command = Extract<Connection, { kind: "command" }>;

/** The protocols of remote commands, the best first. */
export const COMMAND_PROTOCOLS: Readonly<Record<string, ChannelFraming>> = {
  "v5.channel.k8s.io": { isBase64: false, canClose: true },
  "v4.channel.k8s.io": { isBase64: false, canClose: false },
  "v4.base64.channel.k8s.io": { isBase64: true, canClose: false },
};

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const RESIZE = 4;

/** Runs a command over the channels of a WebSocket, and says at last how it ended. Aborting `signal` ends it. */
export async function serveCommand(
  socket: WebSocket,
  command: Command,
  { framing, signal }: { readonly framing: ChannelFraming; readonly signal: AbortSignal },
): Promise<void> {
  const channels = new WebSocketChannels(socket, framing);
  socket.resume();
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  const status = await statusOf(command, {
    stdin: command.stdin ? channels.readable(STDIN) : undefined,
    stdout: command.stdout ? channels.writable(STDOUT) : undefined,
    stderr: command.stderr ? channels.writable(STDERR) : undefined,
    sizes: command.tty ? sizesIn(channels.readable(RESIZE)) : undefined,
    signal: AbortSignal.any([gone.signal, signal]),
  });
  channels.send(STATUS, Buffer.from(JSON.stringify(status)), () => socket.close(1000));
}

/** Runs a command; what became of it, as the Status that clients read. */
export async function statusOf(command: Command, streams: Parameters<Command["run"]>[0]): Promise<object> {
  try {
    const exitCode = await command.run(streams);
    if (exitCode === 0) return { metadata: {}, status: "Success" };
    return {
      metadata: {},
      status: "Failure",
      reason: "NonZeroExitCode",
      message: `command terminated with non-zero exit code: exit status ${exitCode}`,
      details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
    };
  } catch (error) {
    return (isApiError(error) ? error : new ApiError("InternalError", String(error), { cause: error })).toStatus();
  }
}

/** Terminal sizes as clients send them: JSON texts, one a message, whose names Go reads in upper and lower case. */
export async function* sizesIn(messages: AsyncIterable<Uint8Array>): AsyncGenerator<TerminalSize> {
  for await (const message of messages) {
    for (const text of Buffer.from(message)
      .toString()
      .match(/\{[^}]*\}/gu) ?? []) {
      const size = sizeOf(text);
      if (size !== undefined) yield size;
    }
  }
}

/** Clients write the names in upper or lower case; what is no size is none of the terminal's. */
function sizeOf(text: string): TerminalSize | undefined {
  let named: unknown;
  try {
    named = JSON.parse(text);
  } catch {
    return undefined;
  }
  const fields = new Map(Object.entries(named as object).map(([name, value]): [string, unknown] => [name.toLowerCase(), value]));
  const [width, height] = [fields.get("width"), fields.get("height")];
  return isExtent(width) && isExtent(height) ? { width, height } : undefined;
}

const MAX_EXTENT = 65_535;

function isExtent(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= MAX_EXTENT;
}
