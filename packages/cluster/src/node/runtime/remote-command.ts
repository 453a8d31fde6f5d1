import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { Duplex, type Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { CommandStreams, RemoteCommand } from "@sluice/client";
import type { Clock } from "@sluice/controller";
import { ApiError } from "@sluice/kubernetes";
import { killTree } from "../sandbox/process-tree.ts";
import type { HostCommand } from "../sandbox/sandbox.ts";
import { terminalCommand } from "../sandbox/terminal.ts";
import { followSizes } from "./follow-sizes.ts";
import type { Launcher } from "./launcher.ts";

/** What a remote command needs of its surroundings. */
export interface RemoteCommandOptions {
  /** It gets a terminal. */
  readonly tty: boolean;
  readonly launcher: Launcher;
  readonly clock: Clock;
}

/** The command tells its terminal's name, and waits until that has its first size. */
const REPORT = "tty >&3; read -r go <&3; exec 3>&-";
const REPORT_FD = 3;
/** How long a client may take to tell the size of its terminal before the command starts without. */
const FIRST_SIZE_MS = 250;

/** Runs a command of this machine over a client's streams; if the client goes, the command goes with all that it has started. */
export function remoteCommand(command: HostCommand, options: RemoteCommandOptions): RemoteCommand {
  const { tty } = options;
  const { argv, env, cwd } = tty ? terminalCommand(command, REPORT) : command;
  return async ({ stdin, stdout, stderr, sizes, signal }) => {
    if (signal.aborted) throw new ApiError("InternalError", "the client has gone before its command has started");
    const [program = "", ...args] = argv;
    const takesInput = tty || stdin !== undefined;
    const child = spawn(program, args, {
      cwd,
      env,
      detached: true,
      stdio: [takesInput ? "pipe" : "ignore", "pipe", "pipe", ...(tty ? ["pipe" as const] : [])],
    });
    // Each of them ends when the command or the client does, in whichever way.
    for (const stream of child.stdio) stream?.on("error", () => {});
    const kill = (): void => {
      if (child.pid !== undefined) killTree(child.pid);
      // Whoever has left the tree may hold the other ends, and is not waited for.
      for (const stream of child.stdio) stream?.destroy();
    };
    signal.addEventListener("abort", kill, { once: true });
    const report = child.stdio[REPORT_FD];
    if (tty && report instanceof Duplex) void start(report, sizes, options);
    // A command need not read all that it could; and a client that goes ends the command.
    if (stdin !== undefined && child.stdin !== null) pipeline(stdin, child.stdin).catch(() => {});
    try {
      const [[code, by]] = await Promise.all([
        once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
        ...[copy(child.stdout, stdout), copy(child.stderr, stderr)],
      ]);
      return code ?? 128 + (by === null ? 0 : constants.signals[by]);
    } catch (cause) {
      kill();
      throw new ApiError("InternalError", `error executing command in container: ${messageOf(cause, command)}`, { cause });
    } finally {
      signal.removeEventListener("abort", kill);
    }
  };
}

async function copy(from: Readable | null, to: Writable | undefined): Promise<void> {
  if (from === null) return;
  if (to !== undefined) return pipeline(from, to);
  from.resume();
}

/** The command starts with the first size that the client tells, or without if that takes long. */
async function start(report: Duplex, sizes: CommandStreams["sizes"], { launcher, clock }: RemoteCommandOptions): Promise<void> {
  const wait = new AbortController();
  const name = once(report, "data").then(([line]) => {
    void clock.sleep(FIRST_SIZE_MS, wait.signal).then(() => report.end("\n"));
    return String(line);
  });
  await followSizes(name, { sizes, launcher, onResized: () => wait.abort() });
}

function messageOf(cause: unknown, { argv }: HostCommand): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && cause.code === "ENOENT" ? `exec: ${JSON.stringify(argv[0])}: executable file not found in $PATH` : cause.message;
}
