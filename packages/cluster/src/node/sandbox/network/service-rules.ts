import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { runProgram } from "../run-program.ts";
import type { ServiceRoute } from "./service-route.ts";

/** What the rules of a node's services need. */
export interface ServiceRulesOptions {
  /** The program `nft`. */
  readonly program: string;
  /** The bridge of the node's pods, after which its table is named. */
  readonly bridge: string;
  /** All addresses that services can have. */
  readonly range: string;
}

/**
 * The packet filter's rules by which services' addresses lead to endpoints, for the pods of one bridge and for this machine: a
 * table of their own, which nothing else touches, replaced as a whole by one transaction.
 */
export class ServiceRules implements AsyncDisposable {
  readonly #options: ServiceRulesOptions;
  /** What the table holds beside its fixed chains; undefined if an earlier process may have filled it. */
  #present: RuleNames | undefined;

  private constructor(options: ServiceRulesOptions) {
    this.#options = options;
  }

  /** Throws where this machine's kernel, or its version of nft, cannot do it. What an earlier process has left stays until `apply`. */
  static async open(options: ServiceRulesOptions): Promise<ServiceRules> {
    await load(options.program, renderTable(options, []).text);
    writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
    return new ServiceRules(options);
  }

  /** Makes these the routes, and no others; connections that exist go on. */
  async apply(routes: readonly ServiceRoute[]): Promise<void> {
    const { program } = this.#options;
    const table = renderTable(this.#options, routes);
    if (this.#present !== undefined && this.#present.sets.length > 0) {
      const prelude = clearTable(this.#options.bridge, this.#present, table.names);
      const isKept = await load(program, prelude + table.text).then(
        () => true,
        () => false, // An older kernel may not take so much at once: then clients lose their affinity.
      );
      if (isKept) {
        this.#present = table.names;
        return;
      }
    }
    await load(program, `${replaceTable(this.#options.bridge)}${table.text}`);
    this.#present = table.names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runProgram([this.#options.program, "delete", "table", "ip", tableOf(this.#options.bridge)]);
  }
}

async function load(program: string, script: string): Promise<void> {
  // A transaction that others have overtaken is refused whole, and may be tried again.
  const first = await runProgram([program, "-f", "-"], script);
  const { code, stderr } = first.code === 0 ? first : await runProgram([program, "-f", "-"], script);
  if (code !== 0) throw new Error(stderr || `nft: exit code ${code}`);
}

/** The names of chains and sets that depend on the routes. */
interface RuleNames {
  readonly chains: readonly string[];
  /** Who went where: what outlives a new set of rules. */
  readonly sets: readonly string[];
}

function tableOf(bridge: string): string {
  return `${bridge}-services`;
}

function replaceTable(bridge: string): string {
  return `add table ip ${tableOf(bridge)}\ndelete table ip ${tableOf(bridge)}\n`;
}

/** Empties the table, except for sets that are wanted again. */
function clearTable(bridge: string, present: RuleNames, next: RuleNames): string {
  const table = tableOf(bridge);
  const stale = present.sets.filter((set) => !next.sets.includes(set));
  return [
    `flush table ip ${table}`,
    `delete set ip ${table} hairpins`,
    ...present.chains.map((chain) => `delete chain ip ${table} ${chain}`),
    ...stale.map((set) => `delete set ip ${table} ${set}`),
    "",
  ].join("\n");
}

/** The table's text in the language of nft. */
function renderTable(
  { bridge, range }: Pick<ServiceRulesOptions, "bridge" | "range">,
  routes: readonly ServiceRoute[],
): { readonly text: string; readonly names: RuleNames } {
  const led = routes.filter(({ endpoints }) => endpoints.length > 0);
  const key = ({ address, port, protocol }: ServiceRoute): string => `${address} . ${protocol.toLowerCase()} . ${port}`;
  const services = led.map((route, index) => ({ route, chain: `service-${index}`, ...chainsOf(route, `service-${index}`) }));
  const closed = routes.filter(({ endpoints }) => endpoints.length === 0).map(key);
  const own = [...new Set(led.flatMap(({ endpoints }) => endpoints.map(({ address }) => `${address} . ${address}`)))];
  const text = `table ip ${tableOf(bridge)} {
  set hairpins {
    type ipv4_addr . ipv4_addr
    ${own.length === 0 ? "" : `elements = { ${own.join(", ")} }`}
  }
${services.map(({ text: chains }) => chains).join("")}
  chain services {
    ${services.length === 0 ? "" : `ip daddr . meta l4proto . th dport vmap { ${services.map(({ route, chain }) => `${key(route)} : goto ${chain}`).join(", ")} }`}
  }
  chain from-pods {
    type nat hook prerouting priority -100
    iifname "${bridge}" jump services
  }
  chain from-machine {
    type nat hook output priority -100
    jump services
  }
  chain to-itself {
    type nat hook postrouting priority 90
    ct status dnat ip saddr . ip daddr @hairpins masquerade
  }
  chain nowhere-for-pods {
    type filter hook forward priority 0
    iifname "${bridge}" ip daddr ${range} reject
  }
  chain nowhere-for-machine {
    type filter hook output priority 0
    ${closed.length === 0 ? "" : `ip daddr . meta l4proto . th dport { ${closed.join(", ")} } reject`}
    oifname "${bridge}" icmp type redirect drop
  }
}
`;
  return { text, names: { chains: services.flatMap(({ chains }) => chains), sets: services.flatMap(({ sets }) => sets) } };
}

/** The chains of one route. A client with affinity goes to where it was last, and is noted there. */
function chainsOf({ name, protocol, affinitySeconds, endpoints }: ServiceRoute, chain: string): { readonly text: string } & RuleNames {
  const transport = `meta l4proto ${protocol.toLowerCase()}`;
  if (affinitySeconds === undefined) {
    const targets = endpoints.map(({ address, port }, index) => `${index} : ${address} . ${port}`).join(", ");
    return {
      chains: [chain],
      sets: [],
      text: `  chain ${chain} {\n    ${transport} dnat to numgen random mod ${endpoints.length} map { ${targets} }\n  }\n`,
    };
  }
  const places = endpoints.map(({ address, port }, index) => ({
    chain: `${chain}-${index}`,
    set: `clients-${createHash("sha256").update(`${name} ${affinitySeconds} ${address} ${port}`).digest("hex").slice(0, 16)}`,
    target: `${address}:${port}`,
  }));
  const text = [
    ...places.flatMap((place) => [
      `  set ${place.set} {\n    type ipv4_addr\n    flags dynamic,timeout\n    timeout ${affinitySeconds}s\n  }`,
      `  chain ${place.chain} {\n    update @${place.set} { ip saddr }\n    ${transport} dnat to ${place.target}\n  }`,
    ]),
    `  chain ${chain} {`,
    ...places.map((place) => `    ip saddr @${place.set} goto ${place.chain}`),
    `    numgen random mod ${places.length} vmap { ${places.map((place, index) => `${index} : goto ${place.chain}`).join(", ")} }`,
    "  }\n",
  ].join("\n");
  return { text, chains: [chain, ...places.map((place) => place.chain)], sets: places.map(({ set }) => set) };
}
