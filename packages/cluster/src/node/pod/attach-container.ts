import { existsSync, readFileSync, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RemoteCommand } from "@sluice/client";
import type { Container } from "@sluice/kubernetes";
import { readLog } from "../logs/read-log.ts";
import { endInput, openInput } from "../runtime/container-input.ts";
import { followSizes } from "../runtime/follow-sizes.ts";
import type { Launcher } from "../runtime/launcher.ts";
import { FILES } from "../runtime/supervisor.ts";

/** The attempt to join. */
export interface AttachSource {
  readonly directory: string;
  readonly startedAt: number;
  /** Resolves when the attempt has ended. */
  readonly ended: Promise<unknown>;
  /** Nobody has written its input yet. */
  readonly isFirst: boolean;
  readonly launcher: Launcher;
}

/**
 * A container's own process as a command: it writes what the log gets from now on, and reads what the client sends where the
 * container takes input. Whoever first writes to a container that is made for one client sees all from its start.
 */
export function attachContainer({ stdin: takesInput = false, stdinOnce = false, tty = false }: Container, source: AttachSource): RemoteCommand {
  const { directory, startedAt, ended, isFirst, launcher } = source;
  return async ({ stdin, stdout, stderr, sizes, signal }) => {
    const isWhole = stdinOnce && stdin !== undefined && isFirst;
    // Before anything is written that may be answered.
    const offset = isWhole ? 0 : (await stat(join(directory, FILES.log))).size;
    if (stdin !== undefined && takesInput) void write(stdin, directory, { stdinOnce });
    else stdin?.resume();
    if (tty) void followSizes(terminalOf(directory, signal), { sizes, launcher });
    const output = readLog(directory, { offset, startedAt, followUntil: ended, signal });
    if (stdout !== undefined) await pipeline(Readable.from(output, { objectMode: false }), stdout);
    else await ended;
    // The log holds both.
    stderr?.end();
    stdin?.destroy();
    return 0;
  };
}

/** The name of an attempt's terminal, which its command writes down a moment after it has started. */
function terminalOf(directory: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const path = join(directory, FILES.tty);
    const look = (): void => {
      const name = existsSync(path) ? readFileSync(path, "utf8") : "";
      if (!name.endsWith("\n")) return;
      watcher.close();
      resolve(name);
    };
    const watcher = watch(directory, { persistent: false, signal }, look);
    watcher.once("error", reject);
    look();
  });
}

async function write(stdin: Readable, directory: string, { stdinOnce }: { readonly stdinOnce: boolean }): Promise<void> {
  try {
    await pipeline(stdin, openInput(directory));
  } catch {
    // The client has gone, or the command reads no more.
  }
  if (stdinOnce) endInput(directory);
}
