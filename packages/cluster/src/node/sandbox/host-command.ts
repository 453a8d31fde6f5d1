import { chmodSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bubblewrapCommand, isLoaderVariable, POD_VARIABLE } from "./bubblewrap.ts";
import type { ViewEntry } from "./host-view.ts";
import { pathRewriter, sourceOf } from "./rewrite-paths.ts";
import type { HostCommand, SandboxMount, SandboxProcess } from "./sandbox.ts";

/** What is the same for all processes of a pod. */
export interface CommandContext {
  readonly podUid: string;
  readonly hostname: string;
  /** The pod's directory; each container has one below it. */
  readonly directory: string;
  /** What every container of the pod sees besides its own mounts. */
  readonly mounts: readonly SandboxMount[];
  readonly bubblewrap?: { readonly program: string; readonly userNamespace: boolean } | undefined;
  readonly view: readonly ViewEntry[];
  readonly hidden: readonly string[];
  /** Starts a program in the pod's network namespace. */
  readonly enterNetwork: readonly string[];
}

/** The command that runs `process` on this machine, joining the control groups whose `cgroup.procs` are given. */
export function hostCommand(context: CommandContext, process: SandboxProcess, groups: readonly string[]): HostCommand {
  const home = join(context.directory, process.container);
  const tmp = join(home, "tmp");
  // As in a container that starts afresh, nothing is left from the one before it.
  rmSync(home, { recursive: true, force: true });
  mkdirSync(tmp, { recursive: true });
  chmodSync(tmp, 0o1777);
  const mounts = [{ source: tmp, target: "/tmp", readOnly: false }, ...context.mounts, ...process.mounts];
  const join_ = groups.length === 0 ? [] : ["/bin/sh", "-c", 'while [ "$1" != -- ]; do echo 0 > "$1" || exit 126; shift; done; shift; exec "$@"', "sh", ...groups, "--"];
  const command = context.bubblewrap === undefined ? plainCommand(context, process, { home, mounts }) : isolatedCommand(context, process, { home, mounts });
  return { ...command, argv: [...join_, ...context.enterNetwork, ...command.argv] };
}

interface Places {
  readonly home: string;
  readonly mounts: readonly SandboxMount[];
}

function isolatedCommand(context: CommandContext, process: SandboxProcess, { mounts }: Places): HostCommand {
  const { bubblewrap = { program: "bwrap", userNamespace: true } } = context;
  const argv = bubblewrapCommand({
    ...bubblewrap,
    view: context.view,
    hidden: context.hidden,
    mounts,
    hostname: context.hostname,
    workingDirectory: process.workingDirectory ?? "/",
    user: process.runAsUser,
    env: process.env,
    argv: process.argv,
  });
  const env = Object.entries(process.env).filter(([name]) => !isLoaderVariable(name));
  const home = (process.runAsUser ?? 0) === 0 ? "/root" : "/tmp";
  return { argv, env: { HOME: home, ...Object.fromEntries(env), [POD_VARIABLE]: context.podUid }, cwd: "/" };
}

/** Without namespaces the process sees this machine as it is, so it is told where the container's paths really lie. */
function plainCommand(context: CommandContext, process: SandboxProcess, { home, mounts }: Places): HostCommand {
  const rewrite = pathRewriter(mounts);
  const workingDirectory = process.workingDirectory ?? "/";
  const cwd = sourceOf(mounts, workingDirectory) ?? join(home, "root", workingDirectory);
  if (!existsSync(cwd)) mkdirSync(cwd, { recursive: true });
  const env = Object.entries(process.env).map(([name, value]) => [name, rewrite(value)] as const);
  return {
    argv: process.argv.map(rewrite),
    env: { HOME: join(home, "root"), TMPDIR: join(home, "tmp"), ...Object.fromEntries(env), [POD_VARIABLE]: context.podUid },
    cwd,
  };
}
