import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { isWithin, makeRoom, shownAt, throughLinks, type ViewEntry } from "./host-view.ts";
import type { SandboxMount } from "./sandbox.ts";

/** What one container is to look like. */
export interface BubblewrapOptions {
  /** The program bubblewrap itself. */
  readonly program: string;
  readonly view: readonly ViewEntry[];
  /** Directories of this machine that are shown empty, wherever they lie. */
  readonly hidden: readonly string[];
  readonly mounts: readonly SandboxMount[];
  readonly hostname: string;
  readonly workingDirectory: string;
  /** Where this program is not root, a user namespace gives it what it needs. */
  readonly userNamespace: boolean;
  readonly user?: number | undefined;
  readonly group?: number | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
}

/** Names the pod in the environment of what runs for it, where nothing else tells which processes are a pod's. */
export const POD_VARIABLE = "SLUICE_POD_UID";

/** What a container's root may do, as container runtimes have it, without making devices. */
const CAPABILITIES: readonly string[] = [
  ...["chown", "dac_override", "fowner", "fsetid", "kill", "net_bind_service", "net_raw", "setfcap", "setgid", "setpcap"],
  ...["setuid", "sys_chroot"],
];

/** Directories that every Linux system has. */
const SKELETON: readonly string[] = ["/etc", "/home", "/root", "/run", "/tmp", "/var", "/var/cache", "/var/lib", "/var/log", "/var/tmp"];
const LINKS: readonly ViewEntry[] = [{ kind: "link", path: "/var/run", target: "../run" }];

/**
 * The command line that runs a process in namespaces of its own, over a read-only view of this machine. The process is
 * the second of its PID namespace, below bubblewrap's reaper, so that it meets signals with their usual effect. All of it
 * dies with the parent of the command.
 */
export function bubblewrapCommand(options: BubblewrapOptions): readonly string[] {
  const { program, hostname, workingDirectory, userNamespace, user, group, env, argv } = options;
  const links = [...options.view, ...LINKS];
  const mounts = options.mounts
    .map((mount) => ({ ...mount, target: throughLinks(links, mount.target) }))
    // Stable: of two at one path the later one lies on top.
    .sort((a, b) => depthOf(a.target) - depthOf(b.target));
  const absent = mounts.map(({ target }) => target).filter((target) => !existsSync(shownAt(options.view, target)));
  const view = makeRoom(options.view, absent);
  const hidden = options.hidden.filter((path) => view.some((entry) => isWithin(entry.path, path)));
  const isShown = (path: string): boolean =>
    view.some((entry) => isWithin(entry.path, path)) && !hidden.some((directory) => isWithin(directory, path));
  const home = throughLinks(links, workingDirectory);
  const made = new Set<string>();
  /** Makes the directories above `path` itself: those that bubblewrap makes are closed to other users. */
  const below = (path: string): readonly string[] => {
    const parents = parentsOf(path).filter((parent) => !made.has(parent) && !isShown(parent));
    for (const parent of parents) made.add(parent);
    return parents.flatMap((parent) => ["--dir", parent]);
  };
  return [
    program,
    ...["--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--hostname", hostname],
    ...(userNamespace
      ? ["--unshare-user", "--uid", String(user ?? 0), "--gid", String(group ?? 0)]
      : ["--cap-drop", "ALL", ...CAPABILITIES.flatMap((name) => ["--cap-add", `CAP_${name.toUpperCase()}`])]),
    ...SKELETON.flatMap((path) => below(`${path}/.`)),
    ...[...view, ...LINKS].flatMap((entry) => [
      ...below(entry.path),
      ...(entry.kind === "link" ? ["--symlink", entry.target, entry.path] : ["--ro-bind", entry.source, entry.path]),
    ]),
    ...["--proc", "/proc", "--dev", "/dev"],
    ...hidden.flatMap((path) => ["--tmpfs", path]),
    ...mounts.flatMap(({ source, target, readOnly }) => [...below(target), readOnly ? "--ro-bind" : "--bind", source, target]),
    ...(isShown(home) ? [] : ["--dir", home]),
    ...["--chdir", workingDirectory],
    ...Object.entries(env)
      .filter(([name]) => isLoaderVariable(name))
      .flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--unsetenv", POD_VARIABLE],
    "--",
    ...(isRoot(user, group) || userNamespace ? [] : ["setpriv", ...userOptions(user, group), "--"]),
    ...argv,
  ];
}

/** Gives a process of root that enters a container the rights that processes of the container have. */
export function asContainerUser(user?: number, group?: number): readonly string[] {
  const bounds = ["-all", ...CAPABILITIES.map((name) => `+${name}`)].join(",");
  return [
    "setpriv",
    "--no-new-privs",
    `--bounding-set=${bounds}`,
    `--inh-caps=${bounds}`,
    ...(isRoot(user, group) ? [] : userOptions(user, group)),
    "--",
  ];
}

function isRoot(user = 0, group = 0): boolean {
  return user === 0 && group === 0;
}

function userOptions(user = 0, group = 0): readonly string[] {
  return [`--reuid=${user}`, `--regid=${group}`, "--clear-groups"];
}

/** Whether the dynamic loader heeds the variable: those are for the process, not for the programs that start it. */
export function isLoaderVariable(name: string): boolean {
  return name.startsWith("LD_");
}

function depthOf(path: string): number {
  return path.split("/").length;
}

/** All directories above `path`, topmost first. */
function parentsOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path || parent === "/" || parent === "/dev" || parent === "/proc" ? [] : [...parentsOf(parent), parent];
}
