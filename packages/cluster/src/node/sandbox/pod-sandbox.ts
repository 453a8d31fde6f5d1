import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import type { Cgroups } from "./cgroups.ts";
import { resolverConfiguration } from "./dns/resolver-configuration.ts";
import type { Decision } from "./features.ts";
import { execCommand, homeOf, hostCommand, type CommandContext } from "./host-command.ts";
import type { ViewEntry } from "./host-view.ts";
import type { PodNetwork } from "./network/pod-network.ts";
import { crunFailure, isKnownToCrun, isRunByCrun } from "./oci/crun.ts";
import type { ImageRuntime } from "./oci/rooted-command.ts";
import type { PodRecord } from "./pod-record.ts";
import { childrenOf, descendantsOf, innerPidOf, isAlive, killTree, programOf, readProcessTable, signalProcess } from "./process-tree.ts";
import type { Sandbox, SandboxMount } from "./sandbox.ts";
import { until } from "./until.ts";
import { writeInPlace } from "./write-in-place.ts";

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
    fewMounts: network?.fewMounts,
  };
  return {
    podIp,
    command: (process) => hostCommand(context, process, cgroups?.prepare(pod.uid, process.container, process.limits) ?? []),
    exec: (hostPid, process) =>
      execCommand(context, process, {
        ...(hasNamespaces ? firstProcessOf(hostPid) : { reaper: undefined, first: undefined }),
        groups: cgroups?.joining(pod.uid, process.container) ?? [],
      }),
    inNetwork: (command) => (context.enterNetwork.length === 0 ? undefined : { ...command, argv: [...context.enterNetwork, ...command.argv] }),
    whenRunning: (container, hostPid) => until(means.clock, () => !isAlive(hostPid) || isStarted(homeOf(context, container), hostPid)),
    signal: async (hostPid, signal) => (hasNamespaces ? signalIsolated(hostPid, signal) : signalPlain(hostPid, signal)),
    startFailure: (container) => crunFailure(homeOf(context, container)),
    wasOutOfMemory: async (container) => (cgroups?.oomKills(pod.uid, container) ?? 0) > 0,
  };
}

/** The files that tell a pod who it is and where to ask for others. */
function identityFiles({ pod, address }: Pick<PodRecord, "pod" | "address">, directory: string, means: SandboxMeans): readonly SandboxMount[] {
  const { hostNetwork, resolver = { policy: hostNetwork ? "machine" : "cluster" }, hostAliases = [] } = pod;
  const file = (name: string, content: string): SandboxMount => {
    const source = join(directory, name);
    writeInPlace(source, content);
    return { source, target: `/etc/${name}`, readOnly: false };
  };
  const { nameserver = "" } = means;
  const isMachines = resolver.policy === "machine" || (resolver.policy === "cluster" && nameserver === "");
  const policy = isMachines ? "machine" : resolver.policy;
  const resolv =
    isMachines && resolver.config === undefined
      ? machineFiles(["/etc/resolv.conf"])
      : [
          file(
            "resolv.conf",
            resolverConfiguration({ ...resolver, policy }, { nameserver, namespace: pod.namespace, machine: readMachine("/etc/resolv.conf") }),
          ),
        ];
  if (hostNetwork && hostAliases.length === 0) return [...machineFiles(["/etc/hosts"]), ...resolv];
  const own = [address ?? means.hostIp, ...(pod.domainName === undefined ? [] : [pod.domainName]), pod.hostname.split(".")[0]].join("\t");
  const hosts = hostNetwork ? readMachine("/etc/hosts") : `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${own}\n`;
  const aliases = hostAliases.map(({ ip, hostnames = [] }) => `${[ip, ...hostnames].join("\t")}\n`);
  return [file("hosts", [hosts, ...aliases].join("")), ...resolv];
}

function readMachine(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Files of this machine, where it has them. */
export function machineFiles(paths: readonly string[]): readonly SandboxMount[] {
  return paths.filter((path) => existsSync(path)).map((path) => ({ source: path, target: path, readOnly: true }));
}

/**
 * A command's own process is bubblewrap, crun, or what gives it a terminal. Below it lies the first process of its PID
 * namespace: with bubblewrap the reaper, whose second process is the container's first; with crun it is crun itself, and the
 * container's first process is that of a further namespace.
 */
function firstProcessOf(hostPid: number): { readonly reaper: number | undefined; readonly first: number | undefined } {
  const table = readProcessTable();
  const reaper = descendantsOf(table, hostPid).find((pid) => innerPidOf(pid) === 1);
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
  if (signal === "SIGKILL") killTree(hostPid);
  else signalProcess(hostPid, signal);
}
