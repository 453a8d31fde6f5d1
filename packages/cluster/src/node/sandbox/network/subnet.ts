/** A range of IPv4 addresses: `10.128.0.0/9`. */
export interface Subnet {
  /** The lowest address as a number. */
  readonly base: number;
  readonly prefix: number;
}

/** Parses `10.128.0.0/9`; undefined where it is none. Bits beyond the prefix are ignored. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = "", bits = "32", ...rest] = text.split("/");
  const value = parseAddress(address);
  const prefix = Number(bits);
  if (value === undefined || rest.length > 0 || !/^\d+$/u.test(bits) || prefix > 32) return undefined;
  return { base: value - (value % sizeOf(prefix)), prefix };
}

/** Writes `10.128.0.0/9`. */
export function formatSubnet({ base, prefix }: Subnet): string {
  return `${formatAddress(base)}/${prefix}`;
}

/** The number of an IPv4 address; undefined where it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/u.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The IPv4 address of a number. */
export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** How many addresses a subnet has. */
export function addressesIn({ prefix }: Subnet): number {
  return sizeOf(prefix);
}

/** Whether two subnets share an address. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

/** A part of `range` that nobody has: the one that `seed` points at, or the next free one. */
export function chooseSubnet(
  range: Subnet,
  taken: readonly Subnet[],
  options: { readonly prefix: number; readonly seed: number },
): Subnet | undefined {
  const prefix = Math.max(options.prefix, range.prefix);
  const count = 2 ** (prefix - range.prefix);
  for (let step = 0; step < count; step++) {
    const subnet = { base: range.base + ((options.seed + step) % count) * sizeOf(prefix), prefix };
    if (!taken.some((other) => overlaps(subnet, other))) return subnet;
  }
  return undefined;
}

function sizeOf(prefix: number): number {
  return 2 ** (32 - prefix);
}
