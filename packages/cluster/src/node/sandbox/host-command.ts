import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "@sluice/kubernetes";
import { asContainerUser, bubblewrapCommand, isLoaderVariable, POD_VARIABLE } from "./bubblewrap.ts";
import { isUntouched, makeHome, rootOf, tmpOf } from "./container-home.ts";
import type { Bubblewrap } from "./features.ts";
import type { FewMounts } from "./few-mounts.ts";
import type { ViewEntry } from "./host-view.ts";
import { pathRewriter, sourceOf } from "./rewrite-paths.ts";
import { rootedCommand, rootedExec, type ImageRuntime } from "./oci/rooted-command.ts";
import type { HostCommand, SandboxMount, SandboxProcess } from "./sandbox.ts";
import { terminalCommand } from "./terminal.ts";

/** What is the same for all processes of a pod. */
export interface CommandContext {
  readonly podUid: string;
  readonly hostname: string;
  /** The pod's directory; each container has one below it. */
  readonly directory: string;
  /** What every container of the pod sees besides its own mounts. */
  readonly mounts: readonly SandboxMount[];
  readonly bubblewrap?: Bubblewrap | undefined;
  readonly imageRuntime?: ImageRuntime | undefined;
  readonly view: readonly ViewEntry[];
  readonly hidden: readonly string[];
  /** Starts a program in the pod's network namespace. */
  readonly enterNetwork: readonly string[];
  /** Where bubblewrap starts faster, for one that enters a network namespace anyway. */
  readonly fewMounts?: FewMounts | undefined;
  /** Deletes a directory in the background. */
  discard(path: string): void;
}

/** The command that starts a container's `process`, joining the control groups by the files given. */
export function hostCommand(context: CommandContext, process: SandboxProcess, groups: readonly string[]): HostCommand {
  const places = placesOf(context, process);
  // As in a container that starts afresh, nothing is left from the one before it.
  if (existsSync(places.home) && (process.root !== undefined || !isUntouched(places.home))) {
    const old = join(context.directory, `.old-${randomUUID()}`);
    renameSync(places.home, old);
    context.discard(old);
  }
  const command = commandIn(context, process, places);
  return { ...command, argv: [...enteringNetwork(context, process, places), ...command.argv], joins: groups };
}

function enteringNetwork({ bubblewrap, enterNetwork, fewMounts }: CommandContext, { root }: SandboxProcess, { mounts }: Places): readonly string[] {
  const isIsolated = root === undefined && bubblewrap?.userNamespace === false;
  const name = isIsolated && enterNetwork.length > 0 ? fewMounts?.nameFor(mounts.map(({ source }) => source)) : undefined;
  return [...enterNetwork, ...(name === undefined ? [] : [`--mount=${name}`])];
}

function commandIn(context: CommandContext, process: SandboxProcess, places: Places): HostCommand {
  const { bubblewrap, imageRuntime } = context;
  const { root } = process;
  if (root !== undefined) {
    mkdirSync(places.home, { recursive: true });
    return rootedCommand(context, { process, root, home: places.home }, imageRuntime);
  }
  makeHome(places.home);
  return bubblewrap === undefined ? plainCommand(context, process, places) : isolatedCommand(context, bubblewrap, process, places);
}

/** The command that runs `process` in the namespaces of `first`, the first process of its container, below `reaper`. */
export function execCommand(
  context: CommandContext,
  process: SandboxProcess,
  { reaper, first, groups }: { readonly reaper: number | undefined; readonly first: number | undefined; readonly groups: readonly string[] },
): HostCommand {
  const command = commandBeside(context, process, { reaper, first });
  return joining({ ...command, joins: groups });
}

function commandBeside(
  context: CommandContext,
  process: SandboxProcess,
  { reaper, first }: { readonly reaper: number | undefined; readonly first: number | undefined },
): HostCommand {
  const { bubblewrap, imageRuntime } = context;
  const { root } = process;
  const places = placesOf(context, process);
  const rooted =
    root === undefined ? undefined : rootedExec({ process, root, home: places.home }, imageRuntime, first === undefined ? undefined : reaper);
  if (rooted !== undefined) return rooted;
  if (bubblewrap === undefined) return plainCommand(context, process, places);
  // Bubblewrap gives every container of an image a user namespace.
  return enteringCommand(context, root === undefined ? bubblewrap : { ...bubblewrap, userNamespace: true }, process, first);
}

/** The directory of a container's latest start. */
export function homeOf({ directory }: Pick<CommandContext, "directory">, container: string): string {
  return join(directory, `container-${container}`);
}

interface Places {
  readonly home: string;
  readonly tmp: string;
  readonly mounts: readonly SandboxMount[];
}

function placesOf({ directory, mounts }: CommandContext, process: SandboxProcess): Places {
  const home = homeOf({ directory }, process.container);
  const tmp = tmpOf(home);
  const own = process.mounts.map((mount) => ({ ...mount, target: resolve(mount.target) }));
  return { home, tmp, mounts: [{ source: tmp, target: "/tmp", readOnly: false }, ...mounts, ...own] };
}

/** The command that joins its control groups by itself, at the price of a shell. */
export function joining({ joins = [], ...command }: HostCommand): HostCommand {
  if (joins.length === 0) return command;
  const join = 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done; shift; exec "$@"';
  return { ...command, argv: ["/bin/sh", "-c", join, "sh", ...joins, "--", ...command.argv] };
}

function isolatedCommand(context: CommandContext, bubblewrap: Bubblewrap, outer: SandboxProcess, { mounts }: Places): HostCommand {
  const process = inOwnTerminal(outer);
  const argv = bubblewrapCommand({
    ...bubblewrap,
    view: context.view,
    hidden: context.hidden,
    mounts,
    hostname: context.hostname,
    workingDirectory: process.workingDirectory ?? "/",
    user: process.runAsUser,
    group: process.runAsGroup,
    env: process.env,
    argv: process.argv,
  });
  return { argv, env: { ...environmentOf(process), [POD_VARIABLE]: context.podUid }, cwd: "/" };
}

function enteringCommand(
  { podUid }: CommandContext,
  { nsenter, userNamespace }: Bubblewrap,
  outer: SandboxProcess,
  first: number | undefined,
): HostCommand {
  const process = inOwnTerminal(outer);
  const where = `container ${process.container} of pod ${podUid}`;
  if (first === undefined) throw new UserError(`cannot run a command in ${where}: it is not running`);
  if (nsenter === undefined)
    throw new UserError(`cannot run a command in ${where}: this machine has no nsenter`, { fix: "apt-get install util-linux" });
  const namespaces = [
    "--mount",
    "--uts",
    "--ipc",
    "--net",
    "--pid",
    "--root",
    "--wd",
    ...(userNamespace ? ["--user", "--preserve-credentials"] : []),
  ];
  const loader = Object.entries(process.env).flatMap(([name, value]) => (isLoaderVariable(name) ? [`${name}=${value}`] : []));
  return {
    argv: [
      ...[nsenter, `--target=${first}`, ...namespaces, "--"],
      ...(userNamespace ? [] : asContainerUser(process.runAsUser, process.runAsGroup)),
      ...(loader.length === 0 ? [] : ["env", ...loader]),
      ...process.argv,
    ],
    env: environmentOf(process),
    cwd: "/",
  };
}

/** A terminal from outside of the namespaces cannot tell which processes in them it belongs to: they get one of their own, between. */
function inOwnTerminal(process: SandboxProcess): SandboxProcess {
  if (process.tty !== true) return process;
  const { argv, env } = terminalCommand({ ...process, cwd: "" }, ":");
  return { ...process, argv, env };
}

function environmentOf({ env, runAsUser = 0 }: SandboxProcess): Readonly<Record<string, string>> {
  const own = Object.entries(env).filter(([name]) => !isLoaderVariable(name));
  return { HOME: runAsUser === 0 ? "/root" : "/tmp", ...Object.fromEntries(own) };
}

/** Without namespaces the process sees this machine as it is, so it is told where the container's paths really lie. */
function plainCommand(context: CommandContext, process: SandboxProcess, { home, tmp, mounts }: Places): HostCommand {
  const rewrite = pathRewriter(mounts);
  const workingDirectory = process.workingDirectory ?? "/";
  const cwd = sourceOf(mounts, workingDirectory) ?? join(rootOf(home), workingDirectory);
  if (!existsSync(cwd)) mkdirSync(cwd, { recursive: true });
  const env = Object.entries(process.env).map(([name, value]) => [name, rewrite(value)] as const);
  return {
    argv: process.argv.map(rewrite),
    env: { HOME: rootOf(home), TMPDIR: tmp, ...Object.fromEntries(env), [POD_VARIABLE]: context.podUid },
    cwd,
  };
}
