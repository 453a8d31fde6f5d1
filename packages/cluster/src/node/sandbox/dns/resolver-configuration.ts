import type { PodDNSConfig } from "@sluice/kubernetes";
import { ZONE } from "./cluster-names.ts";

/** Whom a pod asks for names. */
export interface PodResolver {
  /** `cluster`: the cluster's name server. `machine`: whom this machine asks. `none`: only those that `config` names. */
  readonly policy: "cluster" | "machine" | "none";
  /** What the pod adds or puts in its place. */
  readonly config?: PodDNSConfig | undefined;
}

/** A resolver configuration in parts. */
interface Configuration {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** A pod's `/etc/resolv.conf` by the rules of the kubelet. `machine` is this machine's own. */
export function resolverConfiguration(
  { policy, config = {} }: PodResolver,
  context: { readonly nameserver: string; readonly namespace: string; readonly machine: string },
): string {
  const base = baseOf(policy, context);
  const chosen = (config.options ?? []).flatMap(({ name = "", value }) => (value === undefined ? name : `${name}:${value}`));
  const replaced = new Set((config.options ?? []).map(({ name }) => name));
  const nameservers = [...new Set([...base.nameservers, ...(config.nameservers ?? [])])];
  const searches = [...new Set([...base.searches, ...(config.searches ?? [])])];
  const options = [...base.options.filter((option) => !replaced.has(option.split(":")[0])), ...chosen];
  return [
    ...nameservers.map((address) => `nameserver ${address}\n`),
    ...(searches.length === 0 ? [] : [`search ${searches.join(" ")}\n`]),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}\n`]),
  ].join("");
}

function baseOf(
  policy: PodResolver["policy"],
  { nameserver, namespace, machine }: { readonly nameserver: string; readonly namespace: string; readonly machine: string },
): Configuration {
  const own = {
    nameservers: nameserversIn(machine),
    searches: wordsOf(machine, /^\s*search\s+(.+)$/gmu),
    options: wordsOf(machine, /^\s*options\s+(.+)$/gmu),
  };
  switch (policy) {
    case "none":
      return { nameservers: [], searches: [], options: [] };
    case "machine":
      return own;
    case "cluster":
      return { nameservers: [nameserver], searches: [`${namespace}.svc.${ZONE}`, `svc.${ZONE}`, ZONE, ...own.searches], options: ["ndots:5"] };
  }
}

/** The words of the last line that `pattern` finds. */
function wordsOf(configuration: string, pattern: RegExp): readonly string[] {
  const last = [...configuration.matchAll(pattern)].at(-1)?.[1] ?? "";
  return last.split(/\s+/u).filter((word) => word !== "");
}

/** The name servers in a machine's `/etc/resolv.conf`. */
export function nameserversIn(configuration: string): readonly string[] {
  return [...configuration.matchAll(/^\s*nameserver\s+([^\s#;%]+)/gmu)].flatMap(([, address]) => address ?? []);
}
