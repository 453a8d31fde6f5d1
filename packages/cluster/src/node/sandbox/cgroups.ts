import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SandboxProcess } from "./sandbox.ts";

/** The control groups of all pods: one directory a pod, one below it for each container, in every hierarchy used. */
export interface Cgroups {
  readonly version: "cgroup-v1" | "cgroup-v2";
  /** Makes a container's groups anew and returns the files that a process writes `0` to in order to join. */
  prepare(podUid: string, container: string, limits: SandboxProcess["limits"]): readonly string[];
  /** How many processes of a container the kernel has killed for want of memory. */
  oomKills(podUid: string, container: string): number;
  /** Every process of the pod, or of one container. */
  processes(podUid: string, container?: string): readonly number[];
  /** Takes the pod's groups away; they must be empty of processes. */
  remove(podUid: string): void;
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
  if (process.platform !== "linux") return "control groups exist on Linux only";
  try {
    if (existsSync(join(root, "cgroup.controllers"))) return openVersion2(name, root);
    if (existsSync(join(root, "memory", "memory.limit_in_bytes"))) return openVersion1(name, root);
    return "no control groups are mounted: mount cgroup2 at /sys/fs/cgroup";
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
  return {
    version: "cgroup-v1",
    prepare(podUid, container, { memoryBytes, cpuMillis }) {
      for (const base of bases) remake(join(base, podUid, container));
      const set = (controller: string, file: string, value: number): void => {
        if (hierarchies.includes(controller)) writeFileSync(join(root, controller, name, podUid, container, file), String(value));
      };
      if (memoryBytes !== undefined) set("memory", "memory.limit_in_bytes", memoryBytes);
      if (cpuMillis !== undefined) {
        set("cpu", "cpu.cfs_period_us", CPU_PERIOD_US);
        set("cpu", "cpu.cfs_quota_us", quotaOf(cpuMillis));
      }
      set("pids", "pids.max", MAX_PROCESSES);
      return bases.map((base) => join(base, podUid, container, "cgroup.procs"));
    },
    oomKills: (podUid, container) => counterIn(join(memory, podUid, container, "memory.oom_control"), "oom_kill"),
    processes: (podUid, container = "") => processesIn(join(memory, podUid, container)),
    remove(podUid) {
      for (const base of bases) removeGroups(join(base, podUid));
    },
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
  return {
    version: "cgroup-v2",
    prepare(podUid, container, { memoryBytes, cpuMillis }) {
      mkdirSync(join(base, podUid), { recursive: true });
      delegate(join(base, podUid));
      const group = join(base, podUid, container);
      remake(group);
      const set = (controller: string, file: string, value: string): void => {
        if (controllers.includes(controller)) writeFileSync(join(group, file), value);
      };
      if (memoryBytes !== undefined) set("memory", "memory.max", String(memoryBytes));
      if (cpuMillis !== undefined) set("cpu", "cpu.max", `${quotaOf(cpuMillis)} ${CPU_PERIOD_US}`);
      set("pids", "pids.max", String(MAX_PROCESSES));
      return [join(group, "cgroup.procs")];
    },
    oomKills: (podUid, container) => counterIn(join(base, podUid, container, "memory.events"), "oom_kill"),
    processes: (podUid, container = "") => processesIn(join(base, podUid, container)),
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

/** A new group starts its counters at zero. One that still has processes, of a container that is just ending, is kept. */
function remake(group: string): void {
  if (processesIn(group).length === 0) removeGroups(group);
  mkdirSync(group, { recursive: true });
}

function removeGroups(group: string): void {
  for (const child of groupsIn(group)) removeGroups(join(group, child));
  try {
    rmdirSync(group);
  } catch (error) {
    // EBUSY: a process has not quite gone; whoever asks next takes the group away.
    if (!(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "EBUSY"))) throw error;
  }
}

function groupsIn(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function processesIn(group: string): readonly number[] {
  return [group, ...groupsIn(group).map((name) => join(group, name))].flatMap((directory) =>
    read(join(directory, "cgroup.procs")).split("\n").filter((line) => line !== "").map(Number),
  );
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
