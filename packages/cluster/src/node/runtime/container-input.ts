import { closeSync, constants, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Writable } from "node:stream";
import type { Launcher } from "./launcher.ts";
import { FILES } from "./supervisor.ts";

/** Makes what an attempt's command reads from; its supervisor opens it. */
export async function makeInput(launcher: Launcher, directory: string): Promise<void> {
  const argv = ["/bin/sh", "-c", 'mkfifo -m 600 "$@"', "sh", join(directory, FILES.stdin), join(directory, FILES.keeper)];
  const { exitCode, output } = await launcher.run({ argv, env: {}, cwd: "/" }, { signal: new AbortController().signal, maxBytes: 1000 });
  if (exitCode !== 0) throw new Error(`the container's standard input cannot be made: ${output.trim()}`);
}

/** Writes what the command reads, no faster than it reads. Its end is not the command's: that is for `endInput` to say. */
export function openInput(directory: string): Writable {
  const fifo = new Socket({ fd: openSync(join(directory, FILES.stdin), WRITE), readable: false, writable: true });
  // A command that reads no more is none of the writer's errors.
  return fifo.on("error", () => {});
}

/** Lets the command see the end of its input, once those who write it have closed it. */
export function endInput(directory: string): void {
  try {
    const keeper = openSync(join(directory, FILES.keeper), WRITE);
    writeSync(keeper, "\n");
    closeSync(keeper);
  } catch {
    // Nobody reads it: the end has been said already, or the command is over.
  }
}

/** Nobody is waited for: a FIFO without a reader is one without a command. */
const WRITE = constants.O_WRONLY | constants.O_NONBLOCK;
