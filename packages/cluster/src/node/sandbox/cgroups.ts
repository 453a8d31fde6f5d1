import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxProcess } from "./sandbox.ts";

/** The control groups of all pods: one directory a pod, one below it for each start of a container, in every hierarchy used. */
export interface Cgroups {
  readonly version: "cgroup-v1" | "cgroup-v2";
  /**
   * Makes a container's groups anew, if it has limits, and returns the files that a process writes `0` to in order to join. Groups cost the
   * kernel milliseconds to make and to join, which only those should wait for who have limits.
   */
  prepare(podUid: string, container: string, limits: SandboxProcess["limits"]): readonly string[];
  /** The files by which another process joins a container's groups. */
  joining(podUid: string, container: string): readonly string[];
  /** How many processes of a container the kernel has killed for want of memory. */
  oomKills(podUid: string, container: string): number;
  /** The processes of the pod that are in its groups. */
  processes(podUid: string): readonly number[];
  /** The processes of all containers without limits, or more; undefined where no group holds them. */
  unlimited(): readonly number[] | undefined;
  /** Takes the pod's groups away; false as long as a process has not quite gone. */
  remove(podUid: string): boolean;
  pods(): readonly string[];
  /** Takes away what holds the pods' groups, if there are none. */
  close(): void;
}

/** More than any sensible program has, and few enough that a fork bomb does not take this machine along. */
const MAX_PROCESSES = 8192;
const CPU_PERIOD_US = 100_000;

/**
 * Finds out which control groups this program may use and makes their common parent, called `name`. A string is the reason
 * why there are none, and the fix.
 */
export function openCgroups(name: string, root = "/sys/fs/cgroup"): Cgroups | string {
  try {
    if (existsSync(join(root, "cgroup.controllers"))) return openVersion2(name, root);
    if (existsSync(join(root, "memory", "memory.limit_in_bytes"))) return openVersion1(name, root);
    return "no control groups are mounted at /sys/fs/cgroup, which Linux alone has";
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    return `control groups cannot be written (${error.message}): run as root, outside of a container`;
  }
}

function openVersion1(name: string, root: string): Cgroups {
  const hierarchies = ["memory", "cpu", "pids"].filter((controller) => existsSync(join(root, controller)));
  const bases = hierarchies.map((controller) => join(root, controller, name));
  const [memory = ""] = bases;
  for (const base of bases) mkdirSync(base, { recursive: true });
  // All containers without limits together: joining a group that is there costs nothing.
  const common = hierarchies.includes("pids") ? [join(root, "pids", name)] : [];
  for (const base of common) writeFileSync(join(base, "pids.max"), String(MAX_PROCESSES));
  // A single thread joins at once; whole processes wait until no processor is in the way, for ten milliseconds or more.
  const joining = (podUid: string, container: string): readonly string[] => {
    const groups = bases.map((base) => latestGroup(join(base, podUid), container));
    return (groups.every((group) => existsSync(group)) ? groups : common).map((group) => join(group, "tasks"));
  };
  return {
    version: "cgroup-v1",
    joining,
    prepare(podUid, container, { memoryBytes, cpuMillis }) {
      if (memoryBytes === undefined && cpuMillis === undefined) return common.map((group) => join(group, "tasks"));
      const groups = bases.map((base) => newGroup(join(base, podUid), container));
      const set = (controller: string, file: string, value: number): void => {
        const group = groups[hierarchies.indexOf(controller)];
        if (group !== undefined) writeFileSync(join(group, file), String(value));
      };
      if (memoryBytes !== undefined) set("memory", "memory.limit_in_bytes", memoryBytes);
      if (cpuMillis !== undefined) {
        set("cpu", "cpu.cfs_period_us", CPU_PERIOD_US);
        set("cpu", "cpu.cfs_quota_us", quotaOf(cpuMillis));
      }
      set("pids", "pids.max", MAX_PROCESSES);
      return groups.map((group) => join(group, "tasks"));
    },
    oomKills: (podUid, container) => counterIn(join(latestGroup(join(memory, podUid), container), "memory.oom_control"), "oom_kill"),
    processes: (podUid) => processesIn(join(memory, podUid)),
    unlimited: () => common.map((group) => pidsIn(group))[0],
    remove: (podUid) => bases.map((base) => removeGroups(join(base, podUid))).every((isGone) => isGone),
    pods: () => groupsIn(memory),
    close() {
      for (const base of bases) if (groupsIn(base).length === 0) removeGroups(base);
    },
  };
}

function openVersion2(name: string, root: string): Cgroups {
  const base = join(root, name);
  const available = readFileSync(join(root, "cgroup.controllers"), "utf8").trim().split(" ");
  const controllers = ["memory", "cpu", "pids"].filter((controller) => available.includes(controller));
  const delegate = (directory: string): void =>
    writeFileSync(join(directory, "cgroup.subtree_control"), controllers.map((controller) => `+${controller}`).join(" "));
  delegate(root);
  mkdirSync(base, { recursive: true });
  delegate(base);
  const joining = (podUid: string, container: string): readonly string[] =>
    [join(latestGroup(join(base, podUid), container), "cgroup.procs")].filter((path) => existsSync(path));
  return {
    version: "cgroup-v2",
    joining,
    prepare(podUid, container, { memoryBytes, cpuMillis }) {
      if (memoryBytes === undefined && cpuMillis === undefined) return [];
      mkdirSync(join(base, podUid), { recursive: true });
      delegate(join(base, podUid));
      const group = newGroup(join(base, podUid), container);
      const set = (controller: string, file: string, value: string): void => {
        if (controllers.includes(controller)) writeFileSync(join(group, file), value);
      };
      if (memoryBytes !== undefined) set("memory", "memory.max", String(memoryBytes));
      if (cpuMillis !== undefined) set("cpu", "cpu.max", `${quotaOf(cpuMillis)} ${CPU_PERIOD_US}`);
      set("pids", "pids.max", String(MAX_PROCESSES));
      return joining(podUid, container);
    },
    oomKills: (podUid, container) => counterIn(join(latestGroup(join(base, podUid), container), "memory.events"), "oom_kill"),
    processes: (podUid) => processesIn(join(base, podUid)),
    unlimited: () => undefined,
    remove: (podUid) => removeGroups(join(base, podUid)),
    pods: () => groupsIn(base),
    close() {
      if (groupsIn(base).length === 0) removeGroups(base);
    },
  };
}

/** The kernel takes no quota below a millisecond. */
function quotaOf(cpuMillis: number): number {
  return Math.max(1000, Math.round((cpuMillis * CPU_PERIOD_US) / 1000));
}

/** A group for a start of the container, with its counters at zero; those of earlier starts go as soon as they are empty. */
function newGroup(pod: string, container: string): string {
  const earlier = startsOf(pod, container);
  for (const start of earlier) removeGroups(join(pod, `${container}.${start}`));
  const group = join(pod, `${container}.${Math.max(0, ...earlier) + 1}`);
  mkdirSync(group, { recursive: true });
  return group;
}

function latestGroup(pod: string, container: string): string {
  return join(pod, `${container}.${Math.max(0, ...startsOf(pod, container))}`);
}

function startsOf(pod: string, container: string): readonly number[] {
  return groupsIn(pod).flatMap((name) => (name.startsWith(`${container}.`) ? [Number(name.slice(container.length + 1))] : []));
}

/** False where a process has not quite gone. */
function removeGroups(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const child of groupsIn(group)) removeGroups(join(group, child));
  try {
    rmdirSync(group);
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EBUSY"))) throw error;
    return error.code === "ENOENT";
  }
}

function groupsIn(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function processesIn(group: string): readonly number[] {
  if (!existsSync(group)) return [];
  return [group, ...groupsIn(group).map((name) => join(group, name))].flatMap(pidsIn);
}

function pidsIn(group: string): readonly number[] {
  return read(join(group, "cgroup.procs"))
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

function counterIn(file: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)`, "mu").exec(read(file))?.[1] ?? 0);
}

/** Empty where there is no such group. */
function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENODEV")) return "";
    throw error;
  }
}
