import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ContainerRoot, SandboxMount, SandboxProcess } from "../sandbox.ts";
import { rootDirectory, type RootMethod } from "./root-directory.ts";
import { runtimeSpec, specProcess } from "./runtime-spec.ts";

/** The programs that run containers of images as root. */
export interface Crun {
  readonly program: string;
  readonly nsenter: string;
}

/** One container for crun. */
export interface CrunOptions {
  readonly crun: Crun;
  readonly process: SandboxProcess;
  readonly root: ContainerRoot;
  readonly method: RootMethod;
  /** The container's own directory, new with each start. */
  readonly home: string;
  readonly hostname: string;
  /** All of them, in the order in which they are mounted. */
  readonly mounts: readonly SandboxMount[];
}

/** crun's name for the container; each has a state directory of its own. */
const ID = "container";
const CONFIG = "config.json";
const LOG = "crun.log";
/** crun refuses to run where control groups of both versions are mounted. */
const UNIFIED = "/sys/fs/cgroup/unified";

/**
 * Runs a command of crun that starts a process in a container, in a session of its own: who kills the command does not reach it. A watcher
 * in another session hears of that end by a pipe, and kills the process with its group.
 */
const WATCHED = `
home=$1; shift
file=$home/exec-$$.pid
exec 4>&1
{ "$@" --pid-file "$file" ${ID} >&4 4>&-; echo $?; } | setsid sh -c '
  exec 4>&-
  read -r code
  pid=$(cat "$0") 2>/dev/null
  rm -f "$0"
  [ -z "$code" ] || exit "$code"
  stat=$(cat "/proc/$pid/stat") && set -- \${stat##*) } && kill -KILL "-$3"
' "$file" 2>/dev/null`;

/**
 * The command line that runs a container by crun, whose exit code is the container's. crun is the first process of a PID
 * namespace around the container's, so that nothing outlives it, and it dies with the parent of the command. The container's
 * root is mounted where only crun and the container see it, and is gone with them.
 */
export function crunCommand({ crun, process, root, method, home, hostname, mounts }: CrunOptions): readonly string[] {
  const { path, enter } = rootDirectory(root.directory, home, method);
  writeFileSync(join(home, CONFIG), JSON.stringify(runtimeSpec({ process, root, rootPath: path, hostname, mounts })), { mode: 0o600 });
  return [
    ...["setpriv", "--pdeathsig=KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
    ...(existsSync(UNIFIED) ? ["/bin/sh", "-c", `umount ${UNIFIED}; exec "$@"`, "sh"] : []),
    ...enter,
    ...crunWith(crun, home),
    ...["--log", join(home, LOG), "run", "--bundle", home, ID],
  ];
}

/** Whether the container whose directory is `home` is run by crun. */
export function isRunByCrun(home: string): boolean {
  return existsSync(join(home, CONFIG));
}

/** The command line that runs `process` in a container, given the PID on this machine of the crun that runs it. */
export function crunExec(
  { crun, root, home }: Pick<CrunOptions, "crun" | "root" | "home">,
  process: SandboxProcess,
  crunPid: number,
): readonly string[] {
  const text = JSON.stringify(specProcess(process, root));
  // Probes run the same process again and again.
  const file = join(home, `exec-${createHash("sha256").update(text).digest("hex").slice(0, 16)}.json`);
  if (!existsSync(file)) writeFileSync(file, text, { mode: 0o600 });
  return [
    ...[crun.nsenter, `--target=${crunPid}`, "--mount", "--pid", "--", "/bin/sh", "-c", WATCHED, "sh", home],
    ...crunWith(crun, home),
    ...["exec", "--process", file],
  ];
}

/** Whether crun has written down that the container is there, which it must before a command can join it. */
export function isKnownToCrun(home: string): boolean {
  return existsSync(join(home, "state", ID, "status"));
}

/** What crun says went wrong before the container ran, if anything did. */
export function crunFailure(home: string): string | undefined {
  try {
    return readFileSync(join(home, LOG), "utf8").trim() || undefined;
  } catch {
    return undefined; // crun has written nothing, or does not run this container.
  }
}

/** Its control groups are those that it was started in. */
function crunWith({ program }: Crun, home: string): readonly string[] {
  return [program, "--root", join(home, "state"), "--cgroup-manager=disabled"];
}
