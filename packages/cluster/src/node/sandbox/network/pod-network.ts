import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@sluice/controller";
import { UserError } from "@sluice/kubernetes";
import { SERVICE_RANGE } from "../../../api-server/service-range.ts";
import type { NetworkPrograms } from "../features.ts";
import { FewMounts } from "../few-mounts.ts";
import { type ProgramResult, runProgram } from "../run-program.ts";
import { type EgressRules, egressRules } from "./egress.ts";
import type { ServiceRouting } from "./service-route.ts";
import { ServiceRules } from "./service-rules.ts";
import { addressesIn, chooseSubnet, formatAddress, formatSubnet, parseAddress, parseSubnet, type Subnet } from "./subnet.ts";

/** What the pods' network needs. */
export interface PodNetworkOptions {
  /** Where the subnet is remembered. */
  readonly directory: string;
  /** Six hexadecimal digits that tell this node's bridge from others on this machine. */
  readonly tag: string;
  /** The addresses to take the node's own subnet from. */
  readonly range: string;
  /** The addresses of pods that an earlier process has left. */
  readonly leased: readonly string[];
  readonly programs: NetworkPrograms;
  /** Runs a program of this machine to its end, with what it reads; never throws. */
  readonly run: (argv: readonly string[], input?: string) => Promise<ProgramResult>;
  readonly logger: Logger;
}

const SUBNET_PREFIX = 20;
const NAMESPACES = "/run/netns";
const MOUNT_NAMESPACES = "/run/sluice";
/** Prints how many sockets namespaces have, each report below `=` and the namespace's path. */
const SOCKETS = 'for path; do echo "=$path"; "$0" --net="$path" cat /proc/net/sockstat /proc/net/sockstat6; done';
/** Takes pairs of a namespace and the commands of `ip` for it. One shell for all. */
const CONFIGURE = 'while [ $# -gt 0 ]; do printf "%s\\n" "$2" | "$0" -n "$1" -batch - || exit; shift 2; done';
/** How many namespaces wait for pods, so that pods need not wait for them: made so many at a time, and kept so many when pods have left them. */
const READY = 8;
const KEPT = 32;

/** Finds out which subnet is this node's, makes its bridge, and takes away namespaces that are no pod's. Throws where that cannot be. */
export async function openPodNetwork(options: PodNetworkOptions): Promise<PodNetwork> {
  const bridge = `sl${options.tag}`;
  const links = await readLinks(options.programs.ip);
  const subnet = subnetOf(
    options,
    links.filter(({ name }) => name !== bridge).flatMap(({ subnets }) => subnets),
  );
  const network = new PodNetwork(options, bridge, subnet);
  await network.open(links.find(({ name }) => name === bridge));
  return network;
}

/**
 * The network of all pods of this node: one bridge, and a network namespace and an address for each pod. A namespace's name
 * holds its address, so that nothing else needs to be remembered of it.
 */
export class PodNetwork implements AsyncDisposable {
  /** This machine's address on the bridge. */
  readonly gateway: string;
  readonly subnet: Subnet;
  /** Where programs may start that enter a namespace of the network. */
  readonly fewMounts: FewMounts;
  /** Why pods cannot reach beyond this machine, if they cannot though there is a packet filter. */
  egressComplaint: string | undefined;
  /** How services' addresses lead to their endpoints. */
  services: ServiceRouting = { by: "proxy", addressOf: (address) => address };
  /** Why it is not the kernel that leads there. */
  servicesComplaint: string | undefined;
  readonly #options: PodNetworkOptions;
  readonly #bridge: string;
  readonly #egress: EgressRules | undefined;
  #rules: ServiceRules | undefined;
  /** Numbers of addresses within the subnet. */
  readonly #leased: Set<number>;
  readonly #ready: number[] = [];
  readonly #making = new Set<number>();
  readonly #waiting: PromiseWithResolvers<number>[] = [];
  /** Left by their pods, and not looked at yet. */
  #left: number[] = [];
  #next: number;
  #filling: Promise<void> | undefined;
  #cleaning: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: PodNetworkOptions, bridge: string, subnet: Subnet) {
    this.#options = options;
    this.#bridge = bridge;
    this.subnet = subnet;
    this.gateway = formatAddress(subnet.base + 1);
    const { egress } = options.programs;
    this.#egress = egress === undefined ? undefined : egressRules(egress, bridge, formatSubnet(subnet));
    const { tag, run, logger } = options;
    this.fewMounts = new FewMounts({ directory: join(MOUNT_NAMESPACES, tag), without: NAMESPACES, run, logger });
    this.#leased = new Set(options.leased.map((address) => this.#numberOf(address)));
    this.#next = Math.max(1, ...this.#leased) + 1;
  }

  /** Makes the bridge and its rules, and the first namespaces in the background. */
  async open(found: Link | undefined): Promise<void> {
    const made = this.#ip([
      ...this.#strays().map((number) => `netns del ${this.#nameOf(number)}`),
      ...(found === undefined ? [`link add ${this.#bridge} type bridge`] : []),
      ...(found?.subnets.some(({ base }) => base === this.subnet.base) !== true
        ? [`addr add ${this.gateway}/${this.subnet.prefix} dev ${this.#bridge}`]
        : []),
      `link set ${this.#bridge} up`,
    ]);
    const ruled = this.#egress?.add().catch((error: unknown) => {
      this.egressComplaint = error instanceof Error ? error.message : String(error);
    });
    await Promise.all([made, ruled]);
    await this.#openServices();
    this.#fill();
  }

  async #openServices(): Promise<void> {
    const { egress, ip, nft } = this.#options.programs;
    const range = formatSubnet(SERVICE_RANGE);
    try {
      if (nft === undefined) throw new Error("nftables is not installed: apt-get install nftables");
      // Without forwarding, answers could not come back the way that they went.
      if (egress === undefined || this.egressComplaint !== undefined) throw new Error("this machine does not forward packets for pods");
      const rules = (this.#rules = await ServiceRules.open({ program: nft, bridge: this.#bridge, range }));
      this.services = { by: "kernel", apply: (routes) => rules.apply(routes) };
    } catch (error) {
      this.servicesComplaint = error instanceof Error ? error.message : String(error);
      // All addresses of services are this machine's own: it can listen there.
      await runProgram([ip, "route", "add", "local", range, "dev", this.#bridge, "metric", String(Number.parseInt(this.#options.tag, 16))]);
    }
  }

  /** Gives a pod an address of its own whose namespace is ready. */
  async lease(): Promise<string> {
    const waiter = Promise.withResolvers<number>();
    this.#waiting.push(waiter);
    if (this.#ready.length === 0 && this.#left.length > 0) this.#clean();
    this.#serve(this.#ready.splice(0));
    this.#fill();
    return formatAddress(this.subnet.base + (await waiter.promise));
  }

  /** Makes the namespace of an address again where it is gone, as after a restart of the machine. */
  async restore(address: string): Promise<void> {
    const number = this.#numberOf(address);
    this.#leased.add(number);
    if (!existsSync(join(NAMESPACES, this.#nameOf(number)))) await this.#make([number]);
  }

  /** Starts a program in the namespace of an address. */
  enter(address: string): readonly string[] {
    return [this.#options.programs.nsenter, `--net=${join(NAMESPACES, this.#nameOf(this.#numberOf(address)))}`];
  }

  /** Takes an address back, whose namespace no process uses any more; absence is no error. */
  release(address: string): void {
    const number = this.#numberOf(address);
    if (!this.#leased.has(number)) return;
    this.#left.push(number);
    // Many at a time; sooner only if somebody waits.
    if (this.#left.length >= READY || this.#waiting.length > 0) this.#clean();
  }

  /** Takes away namespaces that are no pod's: commands of a process that was killed may have made some after its end. */
  async sweep(): Promise<void> {
    await this.#ip(this.#strays().map((number) => `netns del ${this.#nameOf(number)}`));
  }

  /** Leaves pods their network; without pods, nothing is left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#clean();
    await Promise.all([this.#filling, this.#cleaning]);
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new Error("the pods' network is closed"));
    const isUnused = this.#leased.size === 0;
    // Pods that run on lose their services until the next process leads there; they keep the connections that they have.
    await this.#rules?.[Symbol.asyncDispose]();
    if (isUnused) await this.#egress?.remove();
    await this.fewMounts.close({ isUnused });
    this.#ready.splice(0);
    await this.sweep();
    if (isUnused) await this.#ip([`link del ${this.#bridge}`]);
  }

  /** Makes namespaces until enough are ready and nobody waits. */
  #fill(): void {
    this.#filling ??= this.#makeReady()
      .catch((error: unknown) => {
        this.#options.logger.warn("cannot make a network namespace", { bridge: this.#bridge, error });
        for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
      })
      .finally(() => {
        this.#filling = undefined;
        // Whoever came while the last ones were handed out is still waiting.
        if (this.#waiting.length > 0 && !this.#isClosed) this.#fill();
      });
  }

  async #makeReady(): Promise<void> {
    while (!this.#isClosed && (this.#waiting.length > 0 || this.#ready.length < READY / 2)) {
      const numbers = this.#freeNumbers(READY);
      for (const number of numbers) this.#making.add(number);
      try {
        await this.#make(numbers);
        this.#serve(numbers);
      } finally {
        for (const number of numbers) this.#making.delete(number);
      }
    }
  }

  /** Gives namespaces that pods have left to other pods, which costs a tenth of making them anew. */
  #clean(): void {
    this.#cleaning ??= this.#cleanAll()
      .catch((error: unknown) => this.#options.logger.warn("cannot clean network namespaces", { bridge: this.#bridge, error }))
      .finally(() => {
        this.#cleaning = undefined;
      });
  }

  async #cleanAll(): Promise<void> {
    while (this.#left.length > 0) {
      const numbers = this.#left;
      this.#left = [];
      const room = Math.max(0, KEPT - this.#ready.length) + this.#waiting.length;
      const clean = new Set(room === 0 ? [] : await this.#unused(numbers));
      const kept = numbers.filter((number) => clean.has(number)).slice(0, room);
      const gone = numbers.filter((number) => !kept.includes(number) && existsSync(join(NAMESPACES, this.#nameOf(number))));
      await this.#ip(gone.map((number) => `netns del ${this.#nameOf(number)}`));
      for (const number of numbers) this.#leased.delete(number);
      this.#serve(kept);
    }
  }

  /** Those without a socket: one that lingers, as of a connection that was just closed, would be in the way of the next pod. */
  async #unused(numbers: readonly number[]): Promise<readonly number[]> {
    const paths = numbers.map((number) => join(NAMESPACES, this.#nameOf(number)));
    const { stdout } = await this.#options.run(["sh", "-c", SOCKETS, this.#options.programs.nsenter, ...paths]);
    const reports = new Map(stdout.split("=").map((report): [string, string] => [report.slice(0, report.indexOf("\n")), report]));
    return numbers.filter((number, index) => {
      const report = reports.get(paths[index] ?? "") ?? "";
      return report.includes("TCP: inuse 0 orphan 0 tw 0 ") && !/inuse [1-9]/u.test(report);
    });
  }

  #strays(): readonly number[] {
    return namespaces(this.#bridge).filter((number) => !this.#leased.has(number) && !this.#ready.includes(number) && !this.#making.has(number));
  }

  /** Gives namespaces to those who wait, and keeps the rest. */
  #serve(numbers: readonly number[]): void {
    for (const number of numbers) {
      const waiter = this.#waiting.shift();
      if (waiter === undefined) {
        this.#ready.push(number);
      } else {
        this.#leased.add(number);
        waiter.resolve(number);
      }
    }
  }

  /** An address that was given back rests as long as possible, for others may still think it is the old pod's. */
  #freeNumbers(count: number): readonly number[] {
    const free: number[] = [];
    const last = addressesIn(this.subnet) - 2;
    for (let step = 0; step < last && free.length < count; step++) {
      const number = this.#next;
      this.#next = number >= last ? 2 : number + 1;
      if (!this.#leased.has(number) && !this.#ready.includes(number) && !this.#making.has(number)) free.push(number);
    }
    if (free.length === 0)
      throw new UserError(`no address is free in the pods' subnet ${formatSubnet(this.subnet)}`, { fix: "delete pods that are over" });
    return free;
  }

  async #make(numbers: readonly number[]): Promise<void> {
    await this.#ip(
      numbers.flatMap((number) => [
        `netns add ${this.#nameOf(number)}`,
        `link add ${this.#bridge}v${number} type veth peer name eth0 netns ${this.#nameOf(number)}`,
        `link set ${this.#bridge}v${number} master ${this.#bridge} up`,
        // A pod may be its own peer, through a service. Where the kernel filters bridges, such packets never leave this one.
        `link set ${this.#bridge}v${number} type bridge_slave hairpin on`,
      ]),
    );
    // Where the kernel rewrites addresses, it must see the answers, too: pods reach each other through this machine.
    const isRouted = this.services.by === "kernel";
    const inside = numbers.flatMap((number) => [
      this.#nameOf(number),
      [
        "link set lo up",
        `addr add ${formatAddress(this.subnet.base + number)}/${isRouted ? 32 : this.subnet.prefix} dev eth0`,
        "link set eth0 up",
        ...(isRouted ? [`route add ${this.gateway} dev eth0`] : []),
        `route add default via ${this.gateway}`,
      ].join("\n"),
    ]);
    await this.#mustSucceed(["sh", "-c", CONFIGURE, this.#options.programs.ip, ...inside]);
  }

  async #ip(commands: readonly string[]): Promise<void> {
    if (commands.length > 0) await this.#mustSucceed([this.#options.programs.ip, "-batch", "-"], `${commands.join("\n")}\n`);
  }

  async #mustSucceed(command: readonly string[], input?: string): Promise<void> {
    const { code, stderr } = await this.#options.run(command, input);
    if (code !== 0) throw new Error(`ip: ${stderr}`);
  }

  #nameOf(number: number): string {
    return `${this.#bridge}-${number}`;
  }

  #numberOf(address: string): number {
    return (parseAddress(address) ?? 0) - this.subnet.base;
  }
}

/** The namespaces of a bridge, by number. */
function namespaces(bridge: string): readonly number[] {
  if (!existsSync(NAMESPACES)) return [];
  return readdirSync(NAMESPACES).flatMap((name) => (name.startsWith(`${bridge}-`) ? [Number(name.slice(bridge.length + 1))] : []));
}

/** A network interface of this machine. */
interface Link {
  readonly name: string;
  readonly subnets: readonly Subnet[];
}

async function readLinks(ip: string): Promise<readonly Link[]> {
  const { code, stdout, stderr } = await runProgram([ip, "-j", "addr", "show"]);
  if (code !== 0) throw new Error(`ip: ${stderr}`);
  const links = JSON.parse(stdout || "[]") as readonly { ifname: string; addr_info?: readonly { local: string; prefixlen: number }[] }[];
  return links.map(({ ifname, addr_info = [] }) => ({
    name: ifname,
    subnets: addr_info.flatMap(({ local, prefixlen }) => parseSubnet(`${local}/${prefixlen}`) ?? []),
  }));
}

/** The subnet of an earlier process, else one that nobody on this machine has. Once pods have addresses in it, it stays. */
function subnetOf({ directory, leased, range, tag }: PodNetworkOptions, taken: readonly Subnet[]): Subnet {
  const file = join(directory, "subnet");
  const known = existsSync(file) ? parseSubnet(readFileSync(file, "utf8").trim()) : undefined;
  const all = parseSubnet(range);
  if (all === undefined) throw new UserError(`${JSON.stringify(range)} is no range of addresses for pods`, { fix: "write it like 10.128.0.0/9" });
  const isFree = known !== undefined && chooseSubnet(known, taken, { prefix: known.prefix, seed: 0 }) !== undefined;
  if (known !== undefined && (isFree || leased.length > 0)) return known;
  const chosen = chooseSubnet(all, taken, { prefix: SUBNET_PREFIX, seed: Number.parseInt(tag, 16) });
  if (chosen === undefined) throw new UserError(`this machine uses all of ${range} already`, { fix: "choose another range of addresses for pods" });
  writeFileSync(file, `${formatSubnet(chosen)}\n`);
  return chosen;
}
