import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Logger } from "@sluice/controller";
import { POD_VARIABLE } from "./bubblewrap.ts";
import { openCgroups } from "./cgroups.ts";
import { clusterAnswer, type ClusterLookup, type NamedPod, nameserversIn, PodNames } from "./dns/cluster-names.ts";
import { type DnsServer, openDnsServer } from "./dns/server.ts";
import { type Decision, decideFeatures, probeMachine } from "./features.ts";
import { hostCommand } from "./host-command.ts";
import { readHostView } from "./host-view.ts";
import { openPodNetwork, type PodNetwork } from "./network/pod-network.ts";
import { type PodRecord, PodRecords } from "./pod-record.ts";
import { machineFiles, podSandbox, type SandboxMeans } from "./pod-sandbox.ts";
import { processesWith, signalProcess } from "./process-tree.ts";
import { until } from "./until.ts";
import type { HostCommand, Sandbox, Sandboxes, SandboxFeatures, SandboxPod, SandboxProcess } from "./sandbox.ts";

/** What the sandboxes of a node need. */
export interface SandboxesOptions {
  /** Where it keeps what a later process needs to find the sandboxes again, and the containers' `/tmp`. */
  readonly directory: string;
  /** Directories that no container may see, wherever they lie: the data directory. */
  readonly hidden: readonly string[];
  /** Where to look for programs: this program's own `PATH`. */
  readonly path: string;
  /** What may be used where this machine has it; all by default. */
  readonly allow?: { readonly isolation?: boolean | undefined; readonly network?: boolean | undefined } | undefined;
  /** The addresses that all nodes on this machine may give to pods; this node takes a part of it. */
  readonly addressRange?: string | undefined;
  /** The names of services, which pods can look up besides each other's. */
  readonly lookup?: ClusterLookup | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const ADDRESS_RANGE = "10.128.0.0/9";
const DNS_PORT = 53;

/** Finds out what this machine can do for pods, and takes up the sandboxes that an earlier process left. */
export async function openSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const { allow = {}, directory, hidden, path } = options;
  const tag = createHash("sha256").update(directory).digest("hex").slice(0, 6);
  mkdirSync(directory, { recursive: true });
  rmSync(join(directory, "tools"), { recursive: true, force: true });
  const records = new PodRecords(join(directory, "pods"));
  const names = new PodNames();
  for (const record of records.all()) for (const pod of namedPods(record)) names.add(pod);

  const view = process.platform === "linux" ? readHostView(directory) : [];
  const decision = await decideFeatures(probeMachine(path, view, directory), { isolation: allow.isolation ?? true, network: allow.network ?? true });
  const { bubblewrap, imageRuntime } = decision;
  const { network, dns, missing } = await openNetwork(options, { tag, decision, records, names });
  const cgroups = openCgroups(`sluice-${tag}`);
  const means: SandboxMeans = {
    bubblewrap,
    imageRuntime,
    view,
    hidden,
    cgroups: typeof cgroups === "string" ? undefined : cgroups,
    network,
    nameserver: dns === undefined ? undefined : network?.gateway,
    hostIp: network?.gateway ?? "127.0.0.1",
    clock: options.clock,
    discard(path) {
      rm(path, { recursive: true, force: true }).catch((error: unknown) =>
        options.logger.warn("cannot delete what a container has left", { path, error }),
      );
    },
  };
  return new NodeSandboxes(options, means, {
    records,
    names,
    dns,
    missing: [...decision.missing, ...missing, ...(typeof cgroups === "string" ? [`memory and CPU limits are not enforced: ${cgroups}`] : [])],
  });
}

interface OpenedNetwork {
  readonly network?: PodNetwork | undefined;
  readonly dns?: DnsServer | undefined;
  readonly missing: readonly string[];
}

async function openNetwork(
  options: SandboxesOptions,
  { tag, decision, records, names }: { readonly tag: string; readonly decision: Decision; readonly records: PodRecords; readonly names: PodNames },
): Promise<OpenedNetwork> {
  const { addressRange = ADDRESS_RANGE, clock, directory, logger, lookup } = options;
  if (decision.network === undefined) return { missing: [] };
  let network: PodNetwork;
  try {
    const leased = records.all().flatMap(({ address }) => address ?? []);
    network = await openPodNetwork({ directory, tag, range: addressRange, leased, programs: decision.network, logger });
  } catch (error) {
    return { missing: [`pods share this machine's network and have no names of their own: ${messageOf(error)}`] };
  }
  try {
    const dns = await openDnsServer({
      address: network.gateway,
      port: DNS_PORT,
      answer: (name, type) => clusterAnswer(name, type, { pods: names, subnet: network.subnet, lookup }),
      upstreams: () => nameserversIn(readFileSync("/etc/resolv.conf", "utf8")).map((address) => ({ address, port: DNS_PORT })),
      clock,
    });
    return { network, dns, missing: egressMissing(network) };
  } catch (error) {
    return {
      network,
      missing: [
        ...egressMissing(network),
        `pods cannot look each other up by name: ${messageOf(error)}: stop what listens on port ${DNS_PORT} of all addresses`,
      ],
    };
  }
}

function egressMissing({ egressComplaint }: PodNetwork): readonly string[] {
  return egressComplaint === undefined ? [] : [`pods cannot reach beyond this machine: ${egressComplaint}`];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function namedPods({ pod, address }: PodRecord): readonly NamedPod[] {
  const { hostname, namespace, subdomain } = pod;
  return address === undefined ? [] : [{ hostname, namespace, subdomain, address }];
}

interface Kept {
  readonly records: PodRecords;
  readonly names: PodNames;
  readonly dns: DnsServer | undefined;
  readonly missing: readonly string[];
}

class NodeSandboxes implements Sandboxes {
  readonly features: SandboxFeatures;
  readonly hostIp: string;
  readonly #options: SandboxesOptions;
  readonly #means: SandboxMeans;
  readonly #kept: Kept;
  readonly #sandboxes = new Map<string, Promise<Sandbox>>();
  #tools = 0;

  constructor(options: SandboxesOptions, means: SandboxMeans, kept: Kept) {
    this.#options = options;
    this.#means = means;
    this.#kept = kept;
    this.hostIp = means.hostIp;
    this.features = {
      isolation: means.bubblewrap === undefined ? "none" : "namespaces",
      network: means.network === undefined ? "shared" : "pod",
      limits: means.cgroups?.version ?? "none",
      images: means.imageRuntime?.kind ?? "none",
      missing: kept.missing,
    };
  }

  isolate(process: SandboxProcess): HostCommand {
    const { bubblewrap, discard, hidden, view } = this.#means;
    const mounts = bubblewrap === undefined ? [] : machineFiles(["/etc/hosts", "/etc/resolv.conf"]);
    const directory = join(this.#options.directory, "tools", String(++this.#tools));
    return hostCommand({ podUid: "", hostname: "localhost", directory, mounts, bubblewrap, view, hidden, discard, enterNetwork: [] }, process, []);
  }

  ensure(pod: SandboxPod): Promise<Sandbox> {
    const known = this.#sandboxes.get(pod.uid);
    if (known !== undefined) return known;
    const sandbox = this.#record(pod).then((record) => podSandbox(record, this.#kept.records.directoryOf(pod.uid), this.#means));
    this.#sandboxes.set(pod.uid, sandbox);
    // Whoever asks next tries again; the one who asked now is told.
    sandbox.catch(() => this.#sandboxes.delete(pod.uid));
    return sandbox;
  }

  async remove(podUid: string): Promise<void> {
    const { names, records } = this.#kept;
    const { cgroups, network } = this.#means;
    this.#sandboxes.delete(podUid);
    await until(this.#options.clock, () => {
      // A process may have forked between the last look and its end.
      const pids = [...(cgroups?.processes(podUid) ?? []), ...processesWith(POD_VARIABLE, podUid, cgroups?.unlimited())];
      for (const pid of pids) signalProcess(pid, "SIGKILL");
      return pids.length === 0 && (cgroups?.remove(podUid) ?? true);
    });
    const record = records.get(podUid);
    if (record !== undefined) for (const pod of namedPods(record)) names.remove(pod);
    await records.remove(podUid);
    // Only now: another pod may have the address at once.
    if (record?.address !== undefined) network?.release(record.address);
  }

  async retain(podUids: ReadonlySet<string>): Promise<void> {
    const found = new Set([...this.#kept.records.all().map(({ pod }) => pod.uid), ...(this.#means.cgroups?.pods() ?? [])]);
    await Promise.all([...found.difference(podUids)].map((uid) => this.remove(uid)));
    await this.#means.network?.sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kept.dns?.[Symbol.asyncDispose]();
    await this.#means.network?.[Symbol.asyncDispose]();
    this.#means.cgroups?.close();
  }

  async #record(pod: SandboxPod): Promise<PodRecord> {
    const { names, records } = this.#kept;
    const { network } = this.#means;
    const known = records.get(pod.uid);
    const hasOwn = network !== undefined && !pod.hostNetwork;
    if (known !== undefined && (known.address !== undefined) === hasOwn) {
      if (known.address !== undefined) await network?.restore(known.address);
      return known;
    }
    const record: PodRecord = { pod, address: hasOwn ? await network.lease() : undefined, createdAt: this.#options.clock.now() };
    records.put(record);
    for (const named of namedPods(record)) names.add(named);
    return record;
  }
}
