import type { HostAlias } from "@sluice/kubernetes";
import type { PodResolver } from "./dns/resolver-configuration.ts";
import type { ServiceRouting } from "./network/service-route.ts";

/** What this machine lets the node do for pods; the node's conditions and labels say so to users. */
export interface SandboxFeatures {
  /** `namespaces`: bubblewrap gives every container mount, PID, UTS and IPC namespaces. `none`: plain processes. */
  readonly isolation: "namespaces" | "none";
  /** `pod`: every pod has a network namespace and an address. `shared`: all pods share this machine's network. */
  readonly network: "pod" | "shared";
  /** Who leads services' addresses to their endpoints: the kernel, for all protocols, or this program, for TCP and UDP. */
  readonly services: ServiceRouting["by"];
  /** Which control groups limit memory, CPU and processes. */
  readonly limits: "cgroup-v1" | "cgroup-v2" | "none";
  /** What runs the images that were loaded or pulled: `none` leaves only profiles. */
  readonly images: "crun" | "bubblewrap" | "none";
  /** Why something is missing and what would bring it, a sentence each; empty when all is there. */
  readonly missing: readonly string[];
}

/** What a sandbox must know of its pod. */
export interface SandboxPod {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** What its processes take for the name of their machine. */
  readonly hostname: string;
  /** Its full name in the cluster, if it has one. */
  readonly domainName?: string | undefined;
  /** Uses this machine's network. */
  readonly hostNetwork: boolean;
  /** Whom it asks for names; the cluster, unless it uses this machine's network. */
  readonly resolver?: PodResolver | undefined;
  /** What else its `/etc/hosts` says. */
  readonly hostAliases?: readonly HostAlias[] | undefined;
}

/** A file or directory of this machine at a path of the container. */
export interface SandboxMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** The files that an image brings, and what its container may do to them and to its namespaces. */
export interface ContainerRoot {
  /** The image's files on this machine, which no container changes. */
  readonly directory: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[]; readonly home: string };
  /** Nothing but its volumes can be written. */
  readonly readOnly: boolean;
  /** As the kernel calls them: `CAP_CHOWN`. */
  readonly capabilities: readonly string[];
  /** By setuid programs and the like. */
  readonly mayGainPrivileges: boolean;
  readonly isPrivileged: boolean;
  /** System calls that containers rarely need are refused. */
  readonly isFiltered: boolean;
}

/** One process of a container. */
export interface SandboxProcess {
  readonly container: string;
  /** Program and arguments as the container is to see them. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDirectory?: string | undefined;
  /** Volumes, files such as the termination log, and what the image brings; later ones lie over earlier ones. */
  readonly mounts: readonly SandboxMount[];
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  /** Its standard streams are a terminal. */
  readonly tty?: boolean | undefined;
  /** The root of its image; absent if it sees this machine's programs instead. `runAsUser` and `runAsGroup` say nothing then. */
  readonly root?: ContainerRoot | undefined;
  readonly limits: { readonly memoryBytes?: number | undefined; readonly cpuMillis?: number | undefined };
}

/** How to start a sandboxed process on this machine. */
export interface HostCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The files by which it joins control groups, by writing `0` to them before it runs; whoever starts it sees to that. */
  readonly joins?: readonly string[] | undefined;
}

/** One pod's sandbox. */
export interface Sandbox {
  /** The pod's address; `hostIP` where the network is shared. */
  readonly podIp: string;
  /**
   * The command that starts a container's process, with an empty `/tmp` and counters at zero. It lives on without this
   * program but dies with its parent: that must be the container's supervisor.
   */
  command(process: SandboxProcess): HostCommand;
  /**
   * Resolves once a container that an image's runtime starts runs its own program, given the PID on this machine of the
   * `HostCommand` that was started for it, or has gone again. Only then can it be signalled, and other commands run beside it.
   */
  whenRunning(container: string, hostPid: number): Promise<void>;
  /**
   * The command that runs `process` beside what a container runs already, in the same namespaces and with the same `/tmp`,
   * given the PID on this machine of the `HostCommand` that was started for the container. It runs as long as its parent does.
   */
  exec(hostPid: number, process: SandboxProcess): HostCommand;
  /**
   * Signals the container's first process, given the PID on this machine of the `HostCommand` that was started for it.
   * Absence is no error.
   */
  signal(hostPid: number, signal: NodeJS.Signals | number): Promise<void>;
  /** The command that runs a tool of ours in the pod's network; undefined where that is this machine's own. */
  inNetwork(command: HostCommand): HostCommand | undefined;
  /** Why the container could not be started, if its runtime says so. */
  startFailure(container: string): string | undefined;
  /** Whether the kernel has killed a process of `container` for want of memory since it started. */
  wasOutOfMemory(container: string): Promise<boolean>;
}

/** Makes the sandboxes of all pods of a node. */
export interface Sandboxes extends AsyncDisposable {
  readonly features: SandboxFeatures;
  /** This machine's address as pods reach it. */
  readonly hostIp: string;
  /** How services' addresses lead to their endpoints. */
  readonly services: ServiceRouting;
  /** The command that runs a tool of ours with the isolation of a container, in this machine's network, in no pod. */
  isolate(process: SandboxProcess): HostCommand;
  /** Makes the pod's sandbox, or finds it again: also after a restart of this program. */
  ensure(pod: SandboxPod): Promise<Sandbox>;
  /** Kills what is left in it and takes it away; absence is no error. */
  remove(podUid: string): Promise<void>;
  /** Takes away the sandboxes of all other pods: what a crash left behind. */
  retain(podUids: ReadonlySet<string>): Promise<void>;
}
