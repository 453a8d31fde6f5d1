import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { HostCommand } from "../sandbox/sandbox.ts";

/** The files of an attempt's directory. */
export const FILES = {
  /** Made by the supervisor, and by nobody twice: whoever makes it decides whether the command runs. */
  claim: "claim",
  /** The PID of the command. */
  pid: "pid",
  /** The exit code, and a line end that says that it is complete; its time is the file's. */
  exit: "exit",
  /** There if the command could not be executed. */
  unstarted: "unstarted",
  log: "log",
} as const;

/**
 * Runs a command and writes down what becomes of it, whether this program lives or not. It starts nothing if the attempt
 * is claimed already, and leaves no process of its group behind. The shell's own words must not reach the log.
 */
const SCRIPT: string = `
dir=$1; shift
exec 3>&2 2>/dev/null
set -C
read -r stat < /proc/self/stat || stat=$$
echo "$stat" > "$dir/${FILES.claim}" || exit 0
(
  trap ': > "$dir/${FILES.unstarted}"' EXIT
  read -r pid rest < /proc/self/stat || pid=$(exec sh -c 'echo $PPID')
  echo "$pid" > "$dir/${FILES.pid}"
  exec 2>&3 3>&-
  exec "$@"
)
echo $? > "$dir/${FILES.exit}"
kill -KILL 0
`;

/** Starts the supervisor of an attempt; it lives on without this program. */
export function superviseCommand(directory: string, command: HostCommand): ChildProcess {
  const log = openSync(join(directory, FILES.log), "a");
  try {
    const { env, unspeakable } = shellEnvironment(command.env);
    const argv = unspeakable.length === 0 ? command.argv : ["/usr/bin/env", ...unspeakable, ...command.argv];
    const child = spawn("/bin/sh", ["-c", SCRIPT, "sluice", directory, ...argv], {
      cwd: command.cwd,
      env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** A shell hands on only variables whose names it could have itself; the others take the way through `env`. */
function shellEnvironment(all: HostCommand["env"]): { readonly env: Record<string, string>; readonly unspeakable: string[] } {
  const env: Record<string, string> = {};
  const unspeakable: string[] = [];
  for (const [name, value] of Object.entries(all)) {
    if (/^[A-Za-z_]\w*$/.test(name)) env[name] = value;
    else unspeakable.push(`${name}=${value}`);
  }
  return { env, unspeakable };
}
