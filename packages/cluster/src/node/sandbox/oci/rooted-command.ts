import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "@sluice/kubernetes";
import { POD_VARIABLE } from "../bubblewrap.ts";
import type { CommandContext } from "../host-command.ts";
import type { ContainerRoot, HostCommand, SandboxMount, SandboxProcess } from "../sandbox.ts";
import { crunCommand, crunExec, isRunByCrun, type Crun } from "./crun.ts";
import { rootedBubblewrap } from "./rooted-bubblewrap.ts";
import type { RootMethod } from "./root-directory.ts";

/** What runs the containers of images here. */
export type ImageRuntime =
  | { readonly kind: "crun"; readonly crun: Crun; readonly method: RootMethod }
  | { readonly kind: "bubblewrap"; readonly program: string };

/** Programs that start the container, not those in it, are looked for in these. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The command that starts a container of an image, in its own new directory `home`. */
export function rootedCommand(
  context: CommandContext,
  { process, root, home }: { readonly process: SandboxProcess; readonly root: ContainerRoot; readonly home: string },
  runtime: ImageRuntime | undefined,
): HostCommand {
  if (runtime === undefined)
    throw new UserError(`container ${process.container} cannot run: this machine runs no images`, { fix: "apt-get install crun" });
  const { hostname, podUid } = context;
  writeFileSync(join(home, "hostname"), `${hostname}\n`);
  const own: SandboxMount = { source: join(home, "hostname"), target: "/etc/hostname", readOnly: false };
  const mounts = [own, ...context.mounts, ...process.mounts]
    .map((mount) => ({ ...mount, target: resolve(mount.target) }))
    // Stable: of two at one path the later one lies on top.
    .sort((a, b) => a.target.split("/").length - b.target.split("/").length);
  const options = { process, root, home, hostname, mounts };
  const mark = { [POD_VARIABLE]: podUid };
  if (runtime.kind === "crun") return { argv: crunCommand({ ...options, ...runtime }), env: { PATH, ...mark }, cwd: home };
  return { argv: rootedBubblewrap({ ...options, program: runtime.program }), env: { HOME: root.user.home, ...process.env, ...mark }, cwd: "/" };
}

/** The command that runs `process` in a container that crun runs; undefined if that is not so. */
export function rootedExec(
  { process, root, home }: { readonly process: SandboxProcess; readonly root: ContainerRoot; readonly home: string },
  runtime: ImageRuntime | undefined,
  crunPid: number | undefined,
): HostCommand | undefined {
  if (runtime?.kind !== "crun" || !isRunByCrun(home)) return undefined;
  if (crunPid === undefined) throw new UserError(`cannot run a command in container ${process.container}: it is not running`);
  return { argv: crunExec({ crun: runtime.crun, root, home }, process, crunPid), env: { PATH }, cwd: "/" };
}
