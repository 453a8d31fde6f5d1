import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Logger } from "@sluice/controller";
import { SERVICE_RANGE } from "../../api-server/service-range.ts";
import { POD_VARIABLE } from "./bubblewrap.ts";
import { openCgroups } from "./cgroups.ts";
import { clusterAnswer, type ClusterNames } from "./dns/cluster-names.ts";
import { nameserversIn } from "./dns/resolver-configuration.ts";
import { type DnsServer, openDnsServer } from "./dns/server.ts";
import { type Decision, decideFeatures, probeMachine } from "./features.ts";
import { hostCommand } from "./host-command.ts";
import { readHostView } from "./host-view.ts";
import { openPodNetwork, type PodNetwork } from "./network/pod-network.ts";
import type { ServiceRouting } from "./network/service-route.ts";
import { formatAddress, parseAddress, type Subnet } from "./network/subnet.ts";
import { type PodRecord, PodRecords } from "./pod-record.ts";
import { machineFiles, podSandbox, type SandboxMeans } from "./pod-sandbox.ts";
import type { Launcher } from "../runtime/launcher.ts";
import { processesWith, signalProcess } from "./process-tree.ts";
import { runFrom, runProgram } from "./run-program.ts";
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
  readonly allow?:
    | { readonly isolation?: boolean | undefined; readonly network?: boolean | undefined; readonly serviceRules?: boolean | undefined }
    | undefined;
  /** The addresses that all nodes on this machine may give to pods; this node takes a part of it. */
  readonly addressRange?: string | undefined;
  /** What pods can look up besides what this machine knows. */
  readonly names?: ClusterNames | undefined;
  /** Starts the programs that make the pods' network, and outlives the sandboxes; this program itself unless given. */
  readonly launcher?: Launcher | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const ADDRESS_RANGE = "10.128.0.0/9";
const DNS_PORT = 53;
const FREE_DNS_PORT = `stop what listens on port ${DNS_PORT} of all addresses`;
const LOOPBACK = 0x7f_00_00_00;
const NAMELESS: ClusterNames = { isKnown: true, find: () => undefined, reverse: () => undefined };

/** Finds out what this machine can do for pods, and takes up the sandboxes that an earlier process left. */
export async function openSandboxes(options: SandboxesOptions): Promise<Sandboxes> {
  const { allow = {}, directory, hidden, path } = options;
  const tag = createHash("sha256").update(directory).digest("hex").slice(0, 6);
  mkdirSync(directory, { recursive: true });
  rmSync(join(directory, "tools"), { recursive: true, force: true });
  const records = new PodRecords(join(directory, "pods"));

  const view = process.platform === "linux" ? readHostView(directory) : [];
  const decision = await decideFeatures(probeMachine(path, view, directory), {
    isolation: allow.isolation ?? true,
    network: allow.network ?? true,
    serviceRules: allow.serviceRules ?? true,
  });
  const { bubblewrap, imageRuntime } = decision;
  const { network, dns, nameserver, missing } = await openNetwork(options, { tag, decision, records });
  const cgroups = openCgroups(`sluice-${tag}`);
  const means: SandboxMeans = {
    bubblewrap,
    imageRuntime,
    view,
    hidden,
    cgroups: typeof cgroups === "string" ? undefined : cgroups,
    network,
    nameserver,
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
    dns,
    loopback: (address) => serviceOnLoopback(tag, address),
    missing: [...decision.missing, ...missing, ...(typeof cgroups === "string" ? [`memory and CPU limits are not enforced: ${cgroups}`] : [])],
  });
}

interface OpenedNetwork {
  readonly network?: PodNetwork | undefined;
  readonly dns?: DnsServer | undefined;
  readonly nameserver?: string | undefined;
  readonly missing: readonly string[];
}

async function openNetwork(
  options: SandboxesOptions,
  { tag, decision, records }: { readonly tag: string; readonly decision: Decision; readonly records: PodRecords },
): Promise<OpenedNetwork> {
  const { addressRange = ADDRESS_RANGE, clock, directory, logger, names = NAMELESS } = options;
  const openDns = (address: string, known: ClusterNames, subnets: readonly Subnet[]): Promise<DnsServer> =>
    openDnsServer({
      ...{ address, port: DNS_PORT, clock },
      answer: (name, type) => clusterAnswer(name, type, { names: known, subnets }),
      upstreams: () => nameserversIn(readFileSync("/etc/resolv.conf", "utf8")).map((upstream) => ({ address: upstream, port: DNS_PORT })),
    });
  const { launcher } = options;
  const run = launcher === undefined ? runProgram : (argv: readonly string[], input?: string) => runFrom(launcher, argv, input);
  let network: PodNetwork;
  try {
    if (decision.network === undefined) return await openShared(decision, tag, (address) => openDns(address, onLoopback(names, tag), []));
    const leased = records.all().flatMap(({ address }) => address ?? []);
    network = await openPodNetwork({ directory, tag, range: addressRange, leased, programs: decision.network, run, logger });
  } catch (error) {
    return { missing: [`pods share this machine's network and have no names of their own: ${messageOf(error)}`] };
  }
  const { gateway, subnet } = network;
  try {
    const dns = await openDns(gateway, names, [subnet, SERVICE_RANGE]);
    return { network, dns, nameserver: gateway, missing: shortcomings(network) };
  } catch (error) {
    return { network, missing: [...shortcomings(network), `pods cannot look each other up by name: ${messageOf(error)}: ${FREE_DNS_PORT}`] };
  }
}

/** Where pods share this machine's network, they have no addresses of their own, but services have: on the loopback interface. */
async function openShared({ bubblewrap }: Decision, tag: string, open: (address: string) => Promise<DnsServer>): Promise<OpenedNetwork> {
  // Plain processes read this machine's own resolver configuration.
  if (bubblewrap === undefined) return { missing: [] };
  const nameserver = loopbackAddress(tag, 2 ** (32 - SERVICE_RANGE.prefix) - 1);
  try {
    return { dns: await open(nameserver), nameserver, missing: [] };
  } catch (error) {
    return { missing: [`pods cannot look services up by name: ${messageOf(error)}: only root may listen on port ${DNS_PORT}`] };
  }
}

/** The address on the loopback interface that stands for the `index`th of all services' addresses; nodes on one machine mostly differ. */
function loopbackAddress(tag: string, index: number): string {
  const node = 1 + (Number.parseInt(tag, 16) % 254);
  return formatAddress(LOOPBACK + node * 2 ** 16 + index);
}

/** Names with what stands for services' addresses where pods share this machine's network. */
function onLoopback(names: ClusterNames, tag: string): ClusterNames {
  return {
    get isKnown() {
      return names.isKnown;
    },
    find: (name) =>
      names.find(name)?.map((record) => (record.type === "A" ? { ...record, address: serviceOnLoopback(tag, record.address) } : record)),
    reverse: () => undefined,
  };
}

function serviceOnLoopback(tag: string, address: string): string {
  const index = (parseAddress(address) ?? 0) - SERVICE_RANGE.base;
  return index > 0 && index < 2 ** (32 - SERVICE_RANGE.prefix) ? loopbackAddress(tag, index) : address;
}

function shortcomings({ egressComplaint, servicesComplaint }: PodNetwork): readonly string[] {
  return [
    ...(egressComplaint === undefined ? [] : [`pods cannot reach beyond this machine: ${egressComplaint}`]),
    ...(servicesComplaint === undefined ? [] : [`services are reached through this program, not by the kernel: ${servicesComplaint}`]),
  ];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

interface Kept {
  readonly records: PodRecords;
  readonly dns: DnsServer | undefined;
  readonly loopback: (serviceAddress: string) => string;
  readonly missing: readonly string[];
}

class NodeSandboxes implements Sandboxes {
  readonly features: SandboxFeatures;
  readonly hostIp: string;
  readonly services: ServiceRouting;
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
    this.services = means.network?.services ?? { by: "proxy", addressOf: kept.loopback };
    this.features = {
      isolation: means.bubblewrap === undefined ? "none" : "namespaces",
      network: means.network === undefined ? "shared" : "pod",
      services: this.services.by,
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
    const { records } = this.#kept;
    const { cgroups, network } = this.#means;
    this.#sandboxes.delete(podUid);
    await until(this.#options.clock, () => {
      // A process may have forked between the last look and its end.
      const pids = [...(cgroups?.processes(podUid) ?? []), ...processesWith(POD_VARIABLE, podUid, cgroups?.unlimited())];
      for (const pid of pids) signalProcess(pid, "SIGKILL");
      return pids.length === 0 && (cgroups?.remove(podUid) ?? true);
    });
    const record = records.get(podUid);
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
    const { records } = this.#kept;
    const { network } = this.#means;
    const known = records.get(pod.uid);
    const hasOwn = network !== undefined && !pod.hostNetwork;
    if (known !== undefined && (known.address !== undefined) === hasOwn) {
      if (known.address !== undefined) await network?.restore(known.address);
      return known;
    }
    const record: PodRecord = { pod, address: hasOwn ? await network.lease() : undefined, createdAt: this.#options.clock.now() };
    records.put(record);
    return record;
  }
}
