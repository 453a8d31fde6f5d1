import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import type { Cgroups } from "./cgroups.ts";
import { resolverConfiguration } from "./dns/cluster-names.ts";
import type { Decision } from "./features.ts";
import { execCommand, homeOf, hostCommand, type CommandContext } from "./host-command.ts";
import type { ViewEntry } from "./host-view.ts";
import type { PodNetwork } from "./network/pod-network.ts";
import { crunFailure, isKnownToCrun, isRunByCrun } from "./oci/crun.ts";
import type { ImageRuntime } from "./oci/rooted-command.ts";
import type { PodRecord } from "./pod-record.ts";
import { childrenOf, descendantsOf, innerPidOf, isAlive, programOf, readProcessTable, signalProcess } from "./process-tree.ts";
import type { Sandbox, SandboxMount } from "./sandbox.ts";
import { until } from "./until.ts";

/** What all pods' sandboxes share. */
export interface SandboxMeans {
  readonly bubblewrap: Decision["bubblewrap"];
  readonly imageRuntime: ImageRuntime | undefined;
  readonly view: readonly ViewEntry[];
  readonly hidden: readonly string[];
  readonly cgroups: Cgroups | undefined;
  readonly network: PodNetwork | undefined;
  /** The address of the pods' name server, if there is one. */
  readonly nameserver: string | undefined;
  readonly hostIp: string;
  readonly clock: Clock;
  /** Deletes a directory in the background. */
  discard(path: string): void;
}

/** The sandbox of a pod whose record is kept in `directory`. */
export function podSandbox({ pod, address }: PodRecord, directory: string, means: SandboxMeans): Sandbox {
  const { bubblewrap, cgroups, imageRuntime, network } = means;
  const hasNamespaces = bubblewrap !== undefined || imageRuntime !== undefined;
  const podIp = address ?? means.hostIp;
  const context: CommandContext = {
    podUid: pod.uid,
    hostname: pod.hostname,
    directory,
    mounts: hasNamespaces ? identityFiles({ pod, address }, directory, means) : [],
    bubblewrap,
    imageRuntime,
    view: means.view,
    hidden: means.hidden,
    discard: means.discard,
    enterNetwork: address === undefined || network === undefined ? [] : network.enter(address),
  };
  return {
    podIp,
    command: (process) => hostCommand(context, process, cgroups?.prepare(pod.uid, process.container, process.limits) ?? []),
    exec: (hostPid, process) =>
      execCommand(context, process, {
        ...(hasNamespaces ? firstProcessOf(hostPid) : { reaper: undefined, first: undefined }),
        groups: cgroups?.joining(pod.uid, process.container) ?? [],
      }),
    whenRunning: (container, hostPid) => until(means.clock, () => !isAlive(hostPid) || isStarted(homeOf(context, container), hostPid)),
    signal: async (hostPid, signal) => (hasNamespaces ? signalIsolated(hostPid, signal) : signalPlain(hostPid, signal)),
    startFailure: (container) => crunFailure(homeOf(context, container)),
    wasOutOfMemory: async (container) => (cgroups?.oomKills(pod.uid, container) ?? 0) > 0,
  };
}

/** The files that tell a pod who it is and where to ask for others. */
function identityFiles({ pod, address }: Pick<PodRecord, "pod" | "address">, directory: string, means: SandboxMeans): readonly SandboxMount[] {
  if (pod.hostNetwork) return machineFiles(["/etc/hosts", "/etc/resolv.conf"]);
  const hosts = join(directory, "hosts");
  const full = pod.subdomain === undefined ? [] : [`${pod.hostname}.${pod.subdomain}.${pod.namespace}.svc.cluster.local`];
  const own = [address ?? means.hostIp, ...full, pod.hostname].join("\t");
  writeFileSync(hosts, `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${own}\n`);
  const mounts = [{ source: hosts, target: "/etc/hosts", readOnly: false }];
  if (means.nameserver === undefined || address === undefined) return [...mounts, ...machineFiles(["/etc/resolv.conf"])];
  const resolver = join(directory, "resolv.conf");
  writeFileSync(resolver, resolverConfiguration(means.nameserver, pod.namespace));
  return [...mounts, { source: resolver, target: "/etc/resolv.conf", readOnly: false }];
}

/** Files of this machine, where it has them. */
export function machineFiles(paths: readonly string[]): readonly SandboxMount[] {
  return paths.filter((path) => existsSync(path)).map((path) => ({ source: path, target: path, readOnly: true }));
}

/**
 * Below a command lies the first process of its PID namespace. With bubblewrap that is the reaper, whose second process is the
 * container's first; with crun it is crun itself, and the container's first process is that of a further namespace.
 */
function firstProcessOf(hostPid: number): { readonly reaper: number | undefined; readonly first: number | undefined } {
  const table = readProcessTable();
  const reaper = childrenOf(table, hostPid).find((pid) => innerPidOf(pid) === 1);
  const isFirst = (pid: number): boolean => [1, 2].includes(innerPidOf(pid) ?? 0);
  return { reaper, first: reaper === undefined ? undefined : childrenOf(table, reaper).find(isFirst) };
}

/** Until its first process runs a program of its own, that is still crun's, in a container that is not quite made. */
function isStarted(home: string, hostPid: number): boolean {
  const { reaper, first } = firstProcessOf(hostPid);
  if (reaper === undefined || first === undefined) return false;
  return !isRunByCrun(home) || (isKnownToCrun(home) && programOf(first) !== programOf(reaper));
}

function signalIsolated(hostPid: number, signal: NodeJS.Signals | number): void {
  const { reaper, first } = firstProcessOf(hostPid);
  if (reaper === undefined) return signalPlain(hostPid, signal);
  // Killing the reaper kills its whole PID namespace, and before there is a process to signal there is the command.
  signalProcess(signal === "SIGKILL" ? reaper : (first ?? hostPid), signal);
}

function signalPlain(hostPid: number, signal: NodeJS.Signals | number): void {
  const below = signal === "SIGKILL" ? descendantsOf(readProcessTable(), hostPid) : [];
  // From the top: a process that sees its children die may end in its own way.
  for (const pid of [hostPid, ...below]) signalProcess(pid, signal);
}
