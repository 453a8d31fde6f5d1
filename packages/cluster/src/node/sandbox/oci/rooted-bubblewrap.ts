import type { ContainerRoot, SandboxMount, SandboxProcess } from "../sandbox.ts";
import { isLoaderVariable, POD_VARIABLE } from "../bubblewrap.ts";
import { pathInRoot } from "./path-in-root.ts";
import { rootDirectory } from "./root-directory.ts";

/** One container of an image for bubblewrap. */
export interface RootedBubblewrapOptions {
  /** The program bubblewrap itself. */
  readonly program: string;
  readonly process: SandboxProcess;
  readonly root: ContainerRoot;
  readonly home: string;
  readonly hostname: string;
  /** All of them, in the order in which they are mounted. */
  readonly mounts: readonly SandboxMount[];
}

/**
 * The command line that runs a container on a copy of its image's files, in a user namespace in which this user is the
 * container's: what a machine can do without crun or root.
 */
export function rootedBubblewrap({ program, process, root, home, hostname, mounts }: RootedBubblewrapOptions): readonly string[] {
  const { path, enter } = rootDirectory(root.directory, home, "copy");
  const { user } = root;
  const workingDirectory = process.workingDirectory ?? "/";
  return [
    ...enter,
    program,
    ...["--die-with-parent", "--unshare-pid", "--unshare-uts", "--unshare-ipc", "--hostname", hostname],
    ...["--unshare-user", "--uid", String(user.uid), "--gid", String(user.gid)],
    ...["--bind", path, "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/sys", "/sys"],
    ...mounts.flatMap(({ source, target, readOnly }) => [readOnly ? "--ro-bind" : "--bind", source, inside(root.directory, target)]),
    ...["--dir", inside(root.directory, workingDirectory)],
    ...(root.readOnly ? ["--remount-ro", "/"] : []),
    ...["--chdir", workingDirectory],
    ...Object.entries(process.env)
      .filter(([name]) => isLoaderVariable(name))
      .flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--unsetenv", POD_VARIABLE, "--"],
    ...process.argv,
  ];
}

/** Where the image's links lead; bubblewrap would follow them on this machine. */
function inside(root: string, target: string): string {
  const place = pathInRoot(root, target);
  return place === undefined ? target : place.slice(root.length) || "/";
}
