import { once } from "node:events";
import { ApiError, type ObjectKey, type Status } from "@sluice/kubernetes";
import type { ClusterAccess } from "./cluster-access.ts";
import type { CommandStreams } from "./connection.ts";
import { openChannels } from "./open-channels.ts";

/** A command to run in a container. */
export interface ExecuteCommandOptions extends CommandStreams {
  readonly container: string;
  readonly command: readonly string[];
  /** Whether it is to have a terminal, on which its two outputs are one. */
  readonly tty: boolean;
}

const [STDIN, STDOUT, STDERR, STATUS, SIZE, CLOSE] = [0, 1, 2, 3, 4, 255];

/** Runs a command in a container of a pod, and resolves with its exit code. What the server refuses is an `ApiError`. */
export async function executeCommand(access: ClusterAccess, pod: ObjectKey, options: ExecuteCommandOptions): Promise<number> {
  const { container, command, tty, stdin, stdout, stderr, sizes, signal } = options;
  const streams = { stdin: stdin !== undefined, stdout: stdout !== undefined, stderr: stderr !== undefined && !tty, tty };
  const channels = await openChannels(access, pod, {
    subresource: "exec",
    query: [
      ["container", container],
      ...command.map((word) => ["command", word] as const),
      ...Object.entries(streams).map(([name, value]) => [name, String(value)] as const),
    ],
    protocols: ["v5.channel.k8s.io", "v4.channel.k8s.io"],
    signal,
  });
  const stop = new AbortController();
  const sendSizes = async (): Promise<void> => {
    for await (const { width, height } of sizes ?? []) {
      if (stop.signal.aborted) return;
      await channels.send(SIZE, Buffer.from(JSON.stringify({ Width: width, Height: height })));
    }
  };
  const read = (chunk: Buffer): void => {
    stdin?.pause();
    void channels.send(STDIN, chunk).then(() => stop.signal.aborted || stdin?.resume());
  };
  const ended = (): void => void (channels.protocol === "v5.channel.k8s.io" && channels.send(CLOSE, Buffer.of(STDIN)));
  stdin?.on("data", read).once("end", ended);
  void sendSizes();
  let status: Status | undefined;
  try {
    await channels.receive(async (channel, bytes) => {
      if (channel === STATUS) {
        status = JSON.parse(bytes.toString()) as Status;
        channels.close();
        return;
      }
      const output = channel === STDOUT ? stdout : channel === STDERR ? stderr : undefined;
      if (output !== undefined && bytes.length > 0 && !output.write(bytes)) await once(output, "drain");
    });
  } finally {
    stop.abort();
    stdin?.off("data", read).off("end", ended).pause();
  }
  return exitCodeOf(status, pod);
}

function exitCodeOf(status: Status | undefined, { name }: ObjectKey): number {
  if (status?.status === "Success") return 0;
  const code = status?.details?.causes?.find(({ reason }) => reason === "ExitCode")?.message;
  if (code !== undefined) return Number(code);
  throw new ApiError("ServiceUnavailable", status?.message ?? `the connection with pod ${name} broke`);
}
