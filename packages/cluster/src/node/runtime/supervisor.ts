import type { HostCommand } from "../sandbox/sandbox.ts";
import { shellEnvironment } from "../sandbox/shell-environment.ts";

/** The files of an attempt's directory. */
export const FILES = {
  /** Who the supervisor is; complete before the claim is made. */
  supervisor: "supervisor",
  /**
   * Made once, by the supervisor or instead of it: whoever makes it decides whether the command runs. A link if the
   * attempt was abandoned.
   */
  claim: "claim",
  /** The PID of the command. */
  pid: "pid",
  /** The exit code, and a line end that says that it is complete; its time is the file's. */
  exit: "exit",
  /** There if the command could not be executed. */
  unstarted: "unstarted",
  log: "log",
  /** What the command reads, where somebody may write it: a FIFO. */
  stdin: "stdin",
  /** The FIFO that keeps `stdin` open, though nobody writes, until somebody writes a line to this one. */
  keeper: "stdin-keeper",
  /** The name of the command's terminal, where it has one. */
  tty: "tty",
} as const;

/**
 * Runs a command and writes down what becomes of it, whether this program lives or not. It starts nothing if the attempt
 * is claimed already, and leaves no process of its group behind. The shell's own words must not reach the log.
 */
const scriptOf = ({ stdin = false }: SupervisorOptions): string => `
dir=$1; shift
exec 3>&2 2>/dev/null
set -C
read -r stat < /proc/self/stat || stat=$$
echo "$stat" > "$dir/${FILES.supervisor}" || exit 0
: > "$dir/${FILES.claim}" || exit 0
${stdin ? OPEN_STDIN : ""}
(
  trap ': > "$dir/${FILES.unstarted}"' EXIT
  read -r pid rest < /proc/self/stat || pid=$(exec sh -c 'echo $PPID')
  echo "$pid" > "$dir/${FILES.pid}"
  exec 2>&3 3>&-
  while [ "$1" != -- ]; do echo 0 >| "$1" || exit 126; shift; done
  shift
  ${stdin ? "exec <&5 5<&-" : ""}
  exec "$@"
)
echo $? > "$dir/${FILES.exit}"
kill -KILL 0
`;

/** What a supervisor arranges besides. */
export interface SupervisorOptions {
  /** The command reads from the FIFO of its attempt, which is there already. */
  readonly stdin?: boolean;
}

/** A writer must be there before a reader opens the FIFO, and as long as the command is not to see its end. */
const OPEN_STDIN = `
exec 4<>"$dir/${FILES.stdin}"
exec 6<>"$dir/${FILES.keeper}"
(exec 3>&- && read -r end <&6) &
exec 5<"$dir/${FILES.stdin}" 4>&- 6>&-
`;

/** The supervisor of `command`, for the attempt in `directory`. */
export function supervisorOf(directory: string, command: HostCommand, options: SupervisorOptions = {}): HostCommand {
  const { env, unspeakable } = shellEnvironment(command.env);
  const argv = unspeakable.length === 0 ? command.argv : ["/usr/bin/env", ...unspeakable, ...command.argv];
  return { argv: ["/bin/sh", "-c", scriptOf(options), "sluice", directory, ...(command.joins ?? []), "--", ...argv], env, cwd: command.cwd };
}
