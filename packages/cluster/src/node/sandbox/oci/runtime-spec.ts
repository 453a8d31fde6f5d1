import type { ContainerRoot, SandboxMount, SandboxProcess } from "../sandbox.ts";

/** A process as the OCI runtime specification has it. */
export interface SpecProcess {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<"bounding" | "effective" | "permitted", readonly string[]>>;
  readonly noNewPrivileges: boolean;
}

/** A container as the OCI runtime specification has it: what crun reads. */
export interface RuntimeSpec {
  readonly ociVersion: string;
  readonly process: SpecProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly SpecMount[];
  readonly linux: {
    readonly namespaces: readonly { readonly type: string }[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly seccomp?: SeccompProfile | undefined;
  };
}

interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface SeccompProfile {
  readonly defaultAction: string;
  readonly syscalls: readonly { readonly names: readonly string[]; readonly action: string }[];
}

/** What a container of an image is made from. */
export interface SpecOptions {
  readonly process: SandboxProcess;
  readonly root: ContainerRoot;
  /** Where the container's root directory is mounted. */
  readonly rootPath: string;
  readonly hostname: string;
  /** All of them, in the order in which they are mounted. */
  readonly mounts: readonly SandboxMount[];
}

const NO_PROGRAMS: readonly string[] = ["nosuid", "noexec", "nodev"];
/** As container runtimes hide them: they tell of the whole machine, or change it. */
const MASKED: readonly string[] = [
  ...["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats"],
  ...["/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"],
];
const READ_ONLY: readonly string[] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/** What no program in a container needs, and what has opened ways out of containers. */
const FORBIDDEN_CALLS: readonly string[] = [
  ...["acct", "add_key", "bpf", "delete_module", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "init_module", "kcmp"],
  ...["kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "nfsservctl", "open_by_handle_at"],
  ...["open_tree", "perf_event_open", "pivot_root", "quotactl", "reboot", "request_key", "setns", "settimeofday", "swapoff", "swapon", "syslog"],
  ...["umount", "umount2", "unshare", "userfaultfd", "vhangup"],
];

/** The process that starts a container, or another one that joins it. */
export function specProcess({ argv, env, workingDirectory }: SandboxProcess, root: ContainerRoot): SpecProcess {
  const { user, capabilities } = root;
  return {
    terminal: false,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: argv,
    env: Object.entries({ HOME: user.home, ...env }).map(([name, value]) => `${name}=${value}`),
    cwd: workingDirectory ?? "/",
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    noNewPrivileges: !root.mayGainPrivileges,
  };
}

/**
 * The runtime specification of a container. It has namespaces of its own except for the network's, which is the one that crun is
 * started in, as are its control groups.
 */
export function runtimeSpec({ process, root, rootPath, hostname, mounts }: SpecOptions): RuntimeSpec {
  const { isPrivileged, isFiltered, readOnly } = root;
  return {
    ociVersion: "1.0.2",
    process: specProcess(process, root),
    root: { path: rootPath, readonly: readOnly },
    hostname,
    mounts: [...systemMounts(isPrivileged), ...mounts.map(bindMount)],
    linux: {
      namespaces: ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type })),
      maskedPaths: isPrivileged ? [] : MASKED,
      readonlyPaths: isPrivileged ? [] : READ_ONLY,
      ...(isFiltered ? { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: FORBIDDEN_CALLS, action: "SCMP_ACT_ERRNO" }] } } : {}),
    },
  };
}

function systemMounts(isPrivileged: boolean): readonly SpecMount[] {
  const access = isPrivileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: NO_PROGRAMS },
    { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"] },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...NO_PROGRAMS, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: NO_PROGRAMS },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...NO_PROGRAMS, access] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...NO_PROGRAMS, access] },
  ];
}

function bindMount({ source, target, readOnly }: SandboxMount): SpecMount {
  return { destination: target, type: "bind", source, options: ["rbind", "rprivate", readOnly ? "ro" : "rw"] };
}
