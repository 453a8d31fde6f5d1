import { formatAddress, parseAddress, type Subnet } from "../network/subnet.ts";
import { DNS_TYPES, type DnsRecord } from "./message.ts";
import type { DnsAnswer } from "./server.ts";

/** What is known of the cluster's names. */
export interface ClusterNames {
  /** Whether what is not found does not exist. */
  readonly isKnown: boolean;
  /**
   * The records of a name below `cluster.local`, of all types; undefined if there is no such name. The name is in lower case,
   * without a final dot: `web.default.svc.cluster.local`, `_http._tcp.web.default.svc.cluster.local`.
   */
  find(name: string): readonly DnsRecord[] | undefined;
  /** The names of an address; undefined if it has none. */
  reverse(address: string): readonly DnsRecord[] | undefined;
}

/** The domain of all names of the cluster. */
export const ZONE = "cluster.local";

/** Answers for `cluster.local` and for the cluster's own addresses; everything else is elsewhere. */
export function clusterAnswer(name: string, type: number, world: { readonly names: ClusterNames; readonly subnets: readonly Subnet[] }): DnsAnswer {
  const isReverse = name.endsWith(".in-addr.arpa");
  if (!isReverse && name !== ZONE && !name.endsWith(`.${ZONE}`)) return "elsewhere";
  const records = isReverse ? reverseAnswer(name, world) : world.names.find(name);
  if (records === "elsewhere") return records;
  if (records === undefined) return world.names.isKnown ? "unknown" : "later";
  return records.filter((record) => record.type === "CNAME" || type === DNS_TYPES.ANY || DNS_TYPES[record.type] === type);
}

/** Nobody else can know the names of our addresses. */
function reverseAnswer(
  name: string,
  { names, subnets }: { readonly names: ClusterNames; readonly subnets: readonly Subnet[] },
): readonly DnsRecord[] | undefined | "elsewhere" {
  const parts = name.slice(0, -".in-addr.arpa".length).split(".");
  const value = parseAddress(parts.toReversed().join("."));
  const isOurs = value !== undefined && subnets.some(({ base, prefix }) => value >= base && value < base + 2 ** (32 - prefix));
  return isOurs ? names.reverse(formatAddress(value)) : "elsewhere";
}
