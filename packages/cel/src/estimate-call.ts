import type { Expr } from "./ast.ts";
import type { Overload } from "./functions.ts";
import type { CelType } from "./types.ts";

/** How large a value may be. */
export interface Size {
  readonly min: number;
  readonly max: number;
}

/** What is known of an argument. */
export interface EstimatedArgument {
  readonly expression: Expr;
  readonly type: CelType;
  readonly size: Size;
  /** How large its items may be, if the schema says so. */
  readonly items: Size | undefined;
}

/** No cost and no size is larger. */
export const MOST: number = 2 ** 64;

/** The number, if it is not too large. */
export function capped(value: number): number {
  return Math.min(MOST, value);
}

/** The sum of costs. */
export function sum(costs: readonly number[]): number {
  return capped(costs.reduce((total, cost) => total + cost, 0));
}

interface Estimate {
  readonly cost: number;
  /** Of the result, if it can be told. */
  readonly size?: Size;
}

const CALL = 1;
const LIST = 10;
const NO_SIZE: Size = { min: 0, max: MOST };
const CHECK = 350_000;
/** How long a pattern is taken to be that checks a named format. */
const FORMAT_PATTERN = 128;

function read(size: Size, factor = 0.1): number {
  return capped(Math.ceil(size.max * factor));
}

function times(a: number, b: number): number {
  // Nothing, however often, is nothing.
  return a === 0 || b === 0 ? 0 : capped(a * b);
}

function add(a: Size, b: Size): Size {
  return { min: capped(a.min + b.min), max: capped(a.max + b.max) };
}

function allocated(factor: number, size: Size): Estimate {
  return { cost: sum([read(size, factor), CALL, LIST]), size };
}

function squared(size: Size): Size {
  return { min: times(size.min, size.min), max: times(size.max, size.max) };
}

/** What a call costs at most, beside its arguments. */
export function estimateCall(name: string, overload: Overload, args: readonly EstimatedArgument[]): Estimate {
  const [first, second, third] = args;
  const a = first?.size ?? NO_SIZE;
  const b = second?.size ?? NO_SIZE;
  switch (name) {
    case "check":
      return { cost: CHECK };
    case "fieldSelector":
    case "labelSelector":
      return { cost: sum([LIST, read(b), times(Math.ceil(b.max * 0.5), LIST + 40)]) };
    case "isSorted":
    case "sum":
    case "max":
    case "min":
    case "indexOf":
    case "lastIndexOf":
      return first?.type.kind === "list" ? { cost: times(a.max, 1 + itemCost(first)) } : { cost: read(a) };
    case "url":
    case "lowerAscii":
    case "upperAscii":
    case "substring":
    case "trim":
      return { cost: read(a), size: a };
    case "replace":
      return { cost: read(a, 0.2), size: replacedSize(a, b, third?.size ?? NO_SIZE) };
    case "split":
      return { cost: read(a, 0.2), size: { min: 0, max: integerOf(third) ?? a.max } };
    case "join":
      return join(first, second);
    case "find":
    case "findAll":
      return { cost: times(read(add(a, { min: 1, max: 1 })), read(b, 0.25)), size: { min: 0, max: a.max } };
    case "matches":
      return { cost: times(read(add(a, { min: 1, max: 1 })), read(b, 0.25)) };
    case "ip":
      return { cost: overload.args[0]?.kind === "opaque" ? CALL : read(a) };
    case "cidr":
    case "isIP":
    case "isCIDR":
    case "quantity":
    case "isQuantity":
    case "semver":
    case "isSemver":
      return { cost: read(a) };
    case "ip.isCanonical":
      return { cost: read(a, 0.2) };
    case "containsIP":
      return { cost: sum([4, overload.args[1]?.kind === "string" ? read(b) : 0]) };
    case "containsCIDR":
      return { cost: sum([7, overload.args[1]?.kind === "string" ? read(b) : 0]) };
    case "validate":
      return { cost: times(read(b), FORMAT_PATTERN * 0.25) };
    case "slice":
      return allocated(1, fixed((integerOf(third) ?? a.max) - (integerOf(second) ?? 0)));
    case "flatten":
      return allocated(integerOf(second) ?? (args.length === 1 ? 1 : MOST), a);
    case "lists.range":
      return allocated(1, fixed(integerOf(first) ?? MOST));
    case "reverse":
      return allocated(1, a);
    case "distinct":
      return allocated(2, squared(a));
    case "sort":
      return allocated(readsText(overload.args[0]) ? 2.1 : 2, squared(a));
    case "@sortByAssociatedKeys":
      return allocated(readsText(overload.args[1]) ? 2.1 : 2, squared(b));
    case "sets.contains":
    case "sets.intersects":
      return { cost: sum([times(a.max, b.max), CALL]) };
    case "sets.equivalent":
      return { cost: sum([times(times(a.max, b.max), 2), CALL]) };
  }
  return estimateStandard(name, overload, a, b);
}

function estimateStandard(name: string, overload: Overload, a: Size, b: Size): Estimate {
  const kind = overload.args[0]?.kind;
  const isText = kind === "string" || kind === "bytes";
  switch (name) {
    case "format":
      return { cost: read(a) };
    case "bytes":
      return kind === "string" ? { cost: read(a), size: { min: a.min, max: capped(a.max * 4) } } : { cost: CALL };
    case "string":
      return kind === "bytes" ? { cost: read(a), size: { min: Math.floor(a.min / 4), max: a.max } } : { cost: CALL };
    case "strings.quote":
      return { cost: read(a), size: { min: capped(a.min + 2), max: capped(a.max * 2 + 2) } };
    case "startsWith":
    case "endsWith":
      return { cost: read(b) };
    case "@in":
      return { cost: overload.args[1]?.kind === "list" ? b.max : CALL };
    case "contains":
      return { cost: times(read(a), read(b)) };
    case "_+_":
      if (kind === "list") return { cost: CALL, size: add(a, b) };
      return isText ? { cost: read(add(a, b)), size: add(a, b) } : { cost: CALL };
    case "_==_":
    case "_!=_":
      return { cost: read({ min: 0, max: Math.min(a.max, b.max) }) };
    case "_<_":
    case "_<=_":
    case "_>_":
    case "_>=_":
      return { cost: isText ? read({ min: 0, max: Math.min(a.max, b.max) }) : CALL };
    default:
      return { cost: CALL };
  }
}

function fixed(count: number): Size {
  const size = Math.max(0, capped(count));
  return { min: size, max: size };
}

function readsText(type: CelType | undefined): boolean {
  return type?.kind === "list" && (type.items.kind === "string" || type.items.kind === "bytes");
}

function integerOf(argument: EstimatedArgument | undefined): number | undefined {
  const literal = argument?.expression;
  return literal?.kind === "literal" && typeof literal.value === "bigint" ? Math.max(0, Number(literal.value)) : undefined;
}

function itemCost({ type, items }: EstimatedArgument): number {
  return readsText(type) ? read(items ?? NO_SIZE) : 0;
}

function join(list: EstimatedArgument | undefined, separator: EstimatedArgument | undefined): Estimate {
  const count = list?.size ?? NO_SIZE;
  const items = list?.items ?? NO_SIZE;
  const texts: Size = { min: times(count.min, items.min), max: times(count.max, items.max) };
  const between: Size = separator === undefined ? { min: 0, max: 0 } : separator.size;
  const size = add(texts, { min: times(Math.max(0, count.min - 1), between.min), max: times(Math.max(0, count.max - 1), between.max) });
  return { cost: read(size), size };
}

/** How long a text can be, some of whose parts are replaced. */
function replacedSize(text: Size, part: Size, by: Size): Size {
  const most =
    part.min === 0
      ? { count: text.max + 1, kept: text.max }
      : by.max <= part.min
        ? { count: 0, kept: text.max }
        : { count: Math.ceil(text.max / part.min), kept: 0 };
  const least =
    part.max === 0
      ? { count: text.min + 1, kept: text.min }
      : part.max <= by.min
        ? { count: 0, kept: text.min }
        : { count: Math.ceil(text.min / part.max), kept: 0 };
  return { min: capped(times(least.count, by.min) + least.kept), max: capped(times(most.count, by.max) + most.kept) };
}
