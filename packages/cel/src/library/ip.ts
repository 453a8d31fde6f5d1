import { fn, method, readsFirst, traversal, type NamedOverload } from "../functions.ts";
import { BOOL, INT, opaque, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, type CelResult } from "../values.ts";

interface Ip {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

interface Cidr {
  readonly ip: Ip;
  readonly prefix: number;
}

const ipType: OpaqueType<Ip> = opaque("net.IP");
const cidrType: OpaqueType<Cidr> = opaque("net.CIDR");
/** No address is longer. */
const MAX_LENGTH = 64;

function parseAddress(text: string): Ip | CelFailure {
  const quoted = JSON.stringify(text.slice(0, MAX_LENGTH));
  const ip = text.length > MAX_LENGTH ? undefined : text.includes(":") ? parse6(text) : parse4(text);
  if (text.includes("%") && text.includes(":") && parse6(text.split("%", 1)[0] ?? "") !== undefined) {
    return new CelFailure(`IP address ${quoted} with zone value is not allowed`);
  }
  if (ip === undefined)
    return new CelFailure(`IP Address ${quoted} parse error during conversion from string: ParseAddr(${quoted}): unable to parse IP`);
  if (ip.family === 6 && ip.bits >> 32n === 0xffffn) return new CelFailure(`IPv4-mapped IPv6 address ${quoted} is not allowed`);
  return ip;
}

function parse4(text: string): Ip | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return { family: 4, bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
}

function parse6(text: string): Ip | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : groupsOf(half)));
  const [head, tail] = groups;
  if (head === undefined || groups.includes(undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: halves.length === 1 ? 0 : missing }, () => 0n), ...(tail ?? [])];
  return { family: 6, bits: all.reduce((bits, group) => (bits << 16n) | group, 0n) };
}

function groupsOf(half: string): bigint[] | undefined {
  const groups: bigint[] = [];
  const parts = half.split(":");
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes(".")) {
      const ip = parse4(part);
      if (ip === undefined) return undefined;
      groups.push(ip.bits >> 16n, ip.bits & 0xffffn);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(BigInt(`0x${part}`));
    else return undefined;
  }
  return groups;
}

function formatIp({ family, bits }: Ip): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const { start, length } = longestZeros(groups);
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
}

function longestZeros(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

function parseCidr(text: string): Cidr | CelFailure {
  const slash = text.lastIndexOf("/");
  const why = (reason: string): CelFailure => new CelFailure(`network address parse error during conversion from string: ${reason}`);
  if (slash < 0) return why(`netip.ParsePrefix(${JSON.stringify(text.slice(0, MAX_LENGTH))}): no '/'`);
  const ip = parseAddress(text.slice(0, slash));
  if (ip instanceof CelFailure) return why(ip.message);
  const prefix = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(prefix) || Number(prefix) > widthOf(ip))
    return why(`netip.ParsePrefix(${JSON.stringify(text)}): prefix length out of range`);
  return { ip, prefix: Number(prefix) };
}

function widthOf({ family }: Ip): number {
  return family === 4 ? 32 : 128;
}

function network({ ip, prefix }: Cidr): Cidr {
  const shift = BigInt(widthOf(ip) - prefix);
  return { ip: { family: ip.family, bits: (ip.bits >> shift) << shift }, prefix };
}

function contains(cidr: Cidr, ip: Ip): boolean {
  const shift = BigInt(widthOf(cidr.ip) - cidr.prefix);
  return cidr.ip.family === ip.family && cidr.ip.bits >> shift === ip.bits >> shift;
}

function formatCidr({ ip, prefix }: Cidr): string {
  return `${formatIp(ip)}/${prefix}`;
}

function wrapIp(ip: Ip | CelFailure): CelResult {
  return ip instanceof CelFailure ? ip : new CelOpaque(ipType, ip, formatIp(ip));
}

function wrapCidr(cidr: Cidr | CelFailure): CelResult {
  // Upstream says it twice, too.
  return cidr instanceof CelFailure
    ? new CelFailure(`network address parse error during conversion from string: ${cidr.message}`)
    : new CelOpaque(cidrType, cidr, formatCidr(cidr));
}

function isLinkLocalMulticast({ family, bits }: Ip): boolean {
  return family === 4 ? bits >> 8n === 0xe00000n : bits >> 112n === 0xff02n;
}

function isLinkLocalUnicast({ family, bits }: Ip): boolean {
  return family === 4 ? bits >> 16n === 0xa9fen : bits >> 118n === 0xfe80n >> 6n;
}

function isLoopback({ family, bits }: Ip): boolean {
  return family === 4 ? bits >> 24n === 127n : bits === 1n;
}

function isMulticast({ family, bits }: Ip): boolean {
  return family === 4 ? bits >> 28n === 0xen : bits >> 120n === 0xffn;
}

function isGlobalUnicast(ip: Ip): boolean {
  const isBroadcast = ip.family === 4 && ip.bits === 0xffffffffn;
  return !isBroadcast && ip.bits !== 0n && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocalUnicast(ip);
}

function isCanonical(text: string): CelResult {
  const ip = parseAddress(text);
  return ip instanceof CelFailure ? ip : formatIp(ip) === text;
}

function containsText(cidr: Cidr, text: string): CelResult {
  const ip = parseAddress(text);
  return ip instanceof CelFailure ? ip : contains(cidr, ip);
}

function containsCidr(outer: Cidr, inner: Cidr | CelFailure): CelResult {
  return inner instanceof CelFailure ? inner : outer.prefix <= inner.prefix && contains(outer, inner.ip);
}

function bytesOf({ prefix }: Cidr): number {
  return Math.ceil(prefix / 8);
}

/** IP addresses and networks. */
export const ips: readonly NamedOverload[] = [
  fn("ip", [STRING], ipType, (text) => wrapIp(parseAddress(text)), { cost: readsFirst }),
  fn("isIP", [STRING], BOOL, (text) => !(parseAddress(text) instanceof CelFailure), { cost: readsFirst }),
  fn("ip.isCanonical", [STRING], BOOL, isCanonical, { cost: (text) => traversal(text.length, 2) }),
  fn("string", [ipType], STRING, ({ value }) => formatIp(value)),
  method("family", [ipType], INT, ({ value }) => BigInt(value.family)),
  method("isUnspecified", [ipType], BOOL, ({ value }) => value.bits === 0n),
  method("isLoopback", [ipType], BOOL, ({ value }) => isLoopback(value)),
  method("isLinkLocalMulticast", [ipType], BOOL, ({ value }) => isLinkLocalMulticast(value)),
  method("isLinkLocalUnicast", [ipType], BOOL, ({ value }) => isLinkLocalUnicast(value)),
  method("isGlobalUnicast", [ipType], BOOL, ({ value }) => isGlobalUnicast(value)),
  fn("cidr", [STRING], cidrType, (text) => wrapCidr(parseCidr(text)), { cost: readsFirst }),
  fn("isCIDR", [STRING], BOOL, (text) => !(parseCidr(text) instanceof CelFailure), { cost: readsFirst }),
  fn("string", [cidrType], STRING, ({ value }) => formatCidr(value)),
  method("containsIP", [cidrType, STRING], BOOL, ({ value }, text) => containsText(value, text), {
    cost: ({ value }, text) => traversal(bytesOf(value), 2) + traversal(text.length),
  }),
  method("containsIP", [cidrType, ipType], BOOL, ({ value }, ip) => contains(value, ip.value), { cost: ({ value }) => traversal(bytesOf(value), 2) }),
  method("containsCIDR", [cidrType, STRING], BOOL, ({ value }, text) => containsCidr(value, parseCidr(text)), {
    cost: ({ value }, text) => traversal(bytesOf(value), 2) + traversal(bytesOf(value)) + 1 + traversal(text.length),
  }),
  method("containsCIDR", [cidrType, cidrType], BOOL, ({ value }, inner) => containsCidr(value, inner.value), {
    cost: ({ value }) => traversal(bytesOf(value), 2) + traversal(bytesOf(value)) + 1,
  }),
  method("ip", [cidrType], ipType, ({ value }) => wrapIp(value.ip)),
  method("prefixLength", [cidrType], INT, ({ value }) => BigInt(value.prefix)),
  method("masked", [cidrType], cidrType, ({ value }) => wrapCidr(network(value))),
];
