import { formatAddress, parseAddress, type Subnet } from "../network/subnet.ts";
import { DNS_TYPES, type DnsRecord } from "./message.ts";
import type { DnsAnswer } from "./server.ts";

/** A pod that can be found by name. */
export interface NamedPod {
  readonly namespace: string;
  readonly hostname: string;
  readonly subdomain?: string | undefined;
  readonly address: string;
}

/**
 * The records of a name below `cluster.local`, of all types; undefined if there is no such name. The name is in lower case,
 * without a final dot: `svc.default.svc.cluster.local`, `_http._tcp.svc.default.svc.cluster.local`.
 */
export type ClusterLookup = (name: string) => readonly DnsRecord[] | undefined;

const ZONE = "cluster.local";

/** The names of pods by which they find each other at once, whether they are ready or not. */
export class PodNames {
  /** Of pods with the same name, the last one counts: the others are over. */
  readonly #hosts = new Map<string, NamedPod[]>();
  readonly #subdomains = new Map<string, Set<string>>();
  readonly #addresses = new Map<string, string>();

  add(pod: NamedPod): void {
    const { host, subdomain } = keysOf(pod);
    if (host === undefined || subdomain === undefined) return;
    this.#hosts.set(host, [...(this.#hosts.get(host) ?? []).filter(({ address }) => address !== pod.address), pod]);
    this.#subdomains.set(subdomain, (this.#subdomains.get(subdomain) ?? new Set()).add(host));
    this.#addresses.set(pod.address, host);
  }

  remove(pod: NamedPod): void {
    const { host, subdomain } = keysOf(pod);
    if (host === undefined || subdomain === undefined) return;
    const rest = (this.#hosts.get(host) ?? []).filter(({ address }) => address !== pod.address);
    this.#addresses.delete(pod.address);
    if (rest.length > 0) {
      this.#hosts.set(host, rest);
      return;
    }
    this.#hosts.delete(host);
    const hosts = this.#subdomains.get(subdomain);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#subdomains.delete(subdomain);
  }

  /** The addresses of a pod, `<hostname>.<subdomain>.<namespace>`, or of all pods of a subdomain. */
  addressesOf(name: string): readonly string[] {
    const hosts = this.#hosts.has(name) ? [name] : [...(this.#subdomains.get(name) ?? [])];
    return hosts.flatMap((host) => this.#hosts.get(host)?.at(-1)?.address ?? []);
  }

  /** `<hostname>.<subdomain>.<namespace>` of the pod that has the address. */
  nameOf(address: string): string | undefined {
    return this.#addresses.get(address);
  }
}

function keysOf({ hostname, namespace, subdomain }: NamedPod): { readonly host?: string; readonly subdomain?: string } {
  if (subdomain === undefined || subdomain === "") return {};
  const below = `${subdomain}.${namespace}`.toLowerCase();
  return { host: `${hostname.toLowerCase()}.${below}`, subdomain: below };
}

/** Answers for `cluster.local` and for the addresses of pods; everything else is elsewhere. */
export function clusterAnswer(
  name: string,
  type: number,
  world: { readonly pods: PodNames; readonly subnet: Subnet; readonly lookup?: ClusterLookup | undefined },
): DnsAnswer {
  if (name.endsWith(".in-addr.arpa")) return reverseAnswer(name, type, world);
  if (name !== ZONE && !name.endsWith(`.${ZONE}`)) return "elsewhere";
  const given = world.lookup?.(name);
  const records = given === undefined || given.length === 0 ? (podRecords(name, world.pods) ?? given) : given;
  if (records === undefined) return "unknown";
  return records.filter((record) => record.type === "CNAME" || type === DNS_TYPES.ANY || DNS_TYPES[record.type] === type);
}

function podRecords(name: string, pods: PodNames): readonly DnsRecord[] | undefined {
  const dashed = /^(\d+-\d+-\d+-\d+)\.[^.]+\.pod\.cluster\.local$/u.exec(name)?.[1]?.replaceAll("-", ".");
  const service = /^(.+)\.svc\.cluster\.local$/u.exec(name)?.[1];
  const addresses = dashed !== undefined && parseAddress(dashed) !== undefined ? [dashed] : service === undefined ? [] : pods.addressesOf(service);
  return addresses.length === 0 ? undefined : addresses.map((address) => ({ type: "A", address }));
}

/** Nobody else can know the names of our addresses. */
function reverseAnswer(name: string, type: number, { pods, subnet }: { readonly pods: PodNames; readonly subnet: Subnet }): DnsAnswer {
  const value = parseAddress(
    name
      .replace(/\.in-addr\.arpa$/u, "")
      .split(".")
      .reverse()
      .join("."),
  );
  if (value === undefined || value < subnet.base || value >= subnet.base + 2 ** (32 - subnet.prefix)) return "elsewhere";
  const host = pods.nameOf(formatAddress(value));
  if (host === undefined) return "unknown";
  return type === DNS_TYPES.PTR || type === DNS_TYPES.ANY ? [{ type: "PTR", target: `${host}.svc.${ZONE}` }] : [];
}

/** A pod's `/etc/resolv.conf`. */
export function resolverConfiguration(nameserver: string, namespace: string): string {
  return `nameserver ${nameserver}\nsearch ${namespace}.svc.${ZONE} svc.${ZONE} ${ZONE}\noptions ndots:5\n`;
}

/** The name servers in a machine's `/etc/resolv.conf`. */
export function nameserversIn(configuration: string): readonly string[] {
  return [...configuration.matchAll(/^\s*nameserver\s+([^\s#;%]+)/gmu)].flatMap(([, address]) => address ?? []);
}
