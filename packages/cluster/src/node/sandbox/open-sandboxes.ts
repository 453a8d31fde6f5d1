import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock, Logger } from "@sluice/controller";
import { POD_VARIABLE } from "./bubblewrap.ts";
import { openCgroups, type Cgroups } from "./cgroups.ts";
import { type Decision, decideFeatures, probeMachine } from "./features.ts";
import { type CommandContext, hostCommand } from "./host-command.ts";
import { readHostView, type ViewEntry } from "./host-view.ts";
import { PodRecords, type PodRecord } from "./pod-record.ts";
import type { PodNetwork } from "./pod-network.ts";
import { childrenOf, descendantsOf, innerPidOf, processesWith, readProcessTable, signalProcess } from "./process-tree.ts";
import type { HostCommand, Sandbox, SandboxFeatures, SandboxMount, SandboxPod, SandboxProcess, Sandboxes } from "./sandbox.ts";

/** What the sandboxes of a node need. */
export interface SandboxesOptions {
  /** Where it keeps what a later process needs to find the sandboxes again, and the pods' `/tmp`. */
  readonly directory: string;
  /** Directories that no container may see, wherever they lie: the data directory. */
  readonly hidden: readonly string[];
  /** Where to look for programs: this program's own `PATH`. */
  readonly path: string;
  /** What may be used where this machine has it; all by default. */
  readonly allow?: { readonly isolation?: boolean | undefined; readonly network?: boolean | undefined } | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Finds out what this machine can do for pods, and takes up the sandboxes that an earlier process left. */
export async function openSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const { allow = {}, directory, path } = options;
  const name = `sluice-${createHash("sha256").update(directory).digest("hex").slice(0, 6)}`;
  const decision = await decideFeatures(probeMachine(path), {
    isolation: allow.isolation ?? true,
    network: allow.network ?? true,
  });
  const cgroups = openCgroups(name);
  return new NodeSandboxes(options, {
    decision,
    cgroups: typeof cgroups === "string" ? undefined : cgroups,
    network: undefined,
    missing: [
      ...decision.missing,
      ...(typeof cgroups === "string" ? [`memory and CPU limits are not enforced: ${cgroups}`] : []),
    ],
  });
}

interface Means {
  readonly decision: Decision;
  readonly cgroups: Cgroups | undefined;
  readonly network: PodNetwork | undefined;
  readonly missing: readonly string[];
}

class NodeSandboxes implements Sandboxes {
  readonly features: SandboxFeatures;
  readonly hostIp: string;
  readonly #options: SandboxesOptions;
  readonly #means: Means;
  readonly #view: readonly ViewEntry[];
  readonly #records: PodRecords;
  readonly #sandboxes = new Map<string, Promise<Sandbox>>();

  constructor(options: SandboxesOptions, means: Means) {
    this.#options = options;
    this.#means = means;
    this.#view = means.decision.bubblewrap === undefined ? [] : readHostView();
    this.#records = new PodRecords(join(options.directory, "pods"));
    this.hostIp = means.network?.gateway ?? "127.0.0.1";
    this.features = {
      isolation: means.decision.bubblewrap === undefined ? "none" : "namespaces",
      network: means.network === undefined ? "shared" : "pod",
      limits: means.cgroups?.version ?? "none",
      missing: means.missing,
    };
  }

  isolate(process: SandboxProcess): HostCommand {
    const { bubblewrap } = this.#means.decision;
    const context: CommandContext = {
      podUid: "",
      hostname: "localhost",
      directory: join(this.#options.directory, "tools"),
      mounts: bubblewrap === undefined ? [] : resolverMounts(),
      bubblewrap,
      view: this.#view,
      hidden: this.#options.hidden,
      enterNetwork: [],
    };
    return hostCommand(context, process, []);
  }

  ensure(pod: SandboxPod): Promise<Sandbox> {
    const known = this.#sandboxes.get(pod.uid);
    if (known !== undefined) return known;
    const sandbox = this.#make(pod);
    this.#sandboxes.set(pod.uid, sandbox);
    sandbox.catch(() => this.#sandboxes.delete(pod.uid));
    return sandbox;
  }

  async remove(podUid: string): Promise<void> {
    this.#sandboxes.delete(podUid);
    const { cgroups, network } = this.#means;
    await killAll(() => cgroups?.processes(podUid) ?? processesWith(POD_VARIABLE, podUid), this.#options.clock);
    cgroups?.remove(podUid);
    const address = this.#records.get(podUid)?.address;
    if (address !== undefined) await network?.release(address);
    this.#records.remove(podUid);
  }

  async retain(podUids: ReadonlySet<string>): Promise<void> {
    const found = new Set([...this.#records.all().map(({ pod }) => pod.uid), ...(this.#means.cgroups?.pods() ?? [])]);
    await Promise.all([...found.difference(podUids)].map((uid) => this.remove(uid)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#means.network?.[Symbol.asyncDispose]();
    this.#means.cgroups?.close();
  }

  async #make(pod: SandboxPod): Promise<Sandbox> {
    const record = await this.#record(pod);
    const { cgroups, decision, network } = this.#means;
    const podIp = record.address ?? this.hostIp;
    const context: CommandContext = {
      podUid: pod.uid,
      hostname: pod.hostname,
      directory: this.#records.directoryOf(pod.uid),
      mounts: decision.bubblewrap === undefined ? [] : this.#files(pod, podIp),
      bubblewrap: decision.bubblewrap,
      view: this.#view,
      hidden: this.#options.hidden,
      enterNetwork: record.address === undefined ? [] : (network?.enter(record.address) ?? []),
    };
    return {
      podIp,
      command: (process) => hostCommand(context, process, cgroups?.prepare(pod.uid, process.container, process.limits) ?? []),
      signal: (hostPid, signal) => (decision.bubblewrap === undefined ? signalPlain(hostPid, signal) : signalIsolated(hostPid, signal)),
      wasOutOfMemory: async (container) => (cgroups?.oomKills(pod.uid, container) ?? 0) > 0,
    };
  }

  async #record(pod: SandboxPod): Promise<PodRecord> {
    const { network } = this.#means;
    const known = this.#records.get(pod.uid);
    const alone = network !== undefined && !pod.hostNetwork;
    if (known !== undefined && (known.address !== undefined) === alone) {
      if (known.address !== undefined) await network?.restore(known.address);
      return known;
    }
    const record: PodRecord = { pod, address: alone ? await network.lease() : undefined };
    this.#records.put(record);
    return record;
  }

  /** The files that tell a pod who it is. */
  #files(pod: SandboxPod, podIp: string): readonly SandboxMount[] {
    const directory = this.#records.directoryOf(pod.uid);
    const hosts = join(directory, "hosts");
    const full = pod.subdomain === undefined ? [] : [`${pod.hostname}.${pod.subdomain}.${pod.namespace}.svc.cluster.local`];
    writeFileSync(hosts, `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${[podIp, ...full, pod.hostname].join("\t")}\n`);
    return [{ source: hosts, target: "/etc/hosts", readOnly: false }, ...resolverMounts()];
  }
}

/** What a process needs to resolve names as this machine does. */
function resolverMounts(): readonly SandboxMount[] {
  return ["/etc/resolv.conf"].filter((path) => existsSync(path)).map((path) => ({ source: path, target: path, readOnly: true }));
}

/** The command's process is bubblewrap; its child is the reaper, and the reaper's first child the container's process. */
async function signalIsolated(hostPid: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const table = await readProcessTable();
  const reaper = childrenOf(table, hostPid).find((pid) => innerPidOf(pid) === 1);
  const first = reaper === undefined ? undefined : childrenOf(table, reaper).find((pid) => innerPidOf(pid) === 2);
  // Killing the reaper kills its whole PID namespace, as killing the command does before there is a process to signal.
  signalProcess((signal === "SIGKILL" ? reaper : first) ?? hostPid, signal);
}

async function signalPlain(hostPid: number, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (signal === "SIGKILL") {
    for (const pid of descendantsOf(await readProcessTable(), hostPid)) signalProcess(pid, signal);
  }
  signalProcess(hostPid, signal);
}

const KILL_ROUND_MS = 5;
const KILL_ROUNDS = 400;

/** Kills until none is left: a process may have forked between look and kill. Only the kernel knows when one is gone. */
async function killAll(remaining: () => readonly number[], clock: Clock): Promise<void> {
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const pids = remaining();
    if (pids.length === 0) return;
    for (const pid of pids) signalProcess(pid, "SIGKILL");
    await clock.sleep(KILL_ROUND_MS, new AbortController().signal);
  }
}
