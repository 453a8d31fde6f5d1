import { fn, method, readsFirst, type NamedOverload } from "../functions.ts";
import { BOOL, INT, opaque, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, type CelResult } from "../values.ts";

interface Semver {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly prerelease: readonly string[];
}

const semverType: OpaqueType<Semver> = opaque("kubernetes.Semver");
const SEMVER = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/;
const MAX_LENGTH = 1024;
const MAX_UINT = 2n ** 64n - 1n;

function parse(text: string, normalize: boolean): CelResult {
  const match = text.length > MAX_LENGTH ? null : SEMVER.exec(normalize ? normalized(text) : text);
  if (match === null) return new CelFailure(`${JSON.stringify(text.slice(0, 256))} is no semantic version`);
  const [, major = "", minor = "", patch = "", prerelease = ""] = match;
  const numbers = [BigInt(major), BigInt(minor), BigInt(patch)] as const;
  const parts = prerelease === "" ? [] : prerelease.split(".");
  if (numbers.some((number) => number > MAX_UINT)) return new CelFailure("a number of the version is too large");
  if (parts.some((part) => /^0\d+$/.test(part)))
    return new CelFailure(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(prerelease)}`);
  return new CelOpaque(semverType, { numbers, prerelease: parts }, JSON.stringify([major, minor, patch, ...parts]));
}

/** Without a leading v and leading zeros, and with zeros for what is missing. */
function normalized(text: string): string {
  const [major = "", minor, ...rest] = text.replace(/^v/, "").split(".");
  if (minor === undefined) return /[+-]/.test(major) ? text : `${trimmed(major)}.0.0`;
  if (rest.length === 0) return /[+-]/.test(minor) ? text : `${trimmed(major)}.${trimmed(minor)}.0`;
  return `${trimmed(major)}.${trimmed(minor)}.${trimmed(rest.join("."))}`;
}

function trimmed(part: string): string {
  return part.length > 1 ? part.replace(/^0+(?=\d)/, "") : part;
}

function compare(a: Semver, b: Semver): number {
  for (const [i, number] of a.numbers.entries()) {
    const other = b.numbers[i] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) return Math.sign(b.prerelease.length - a.prerelease.length);
  for (const [i, part] of a.prerelease.entries()) {
    const other = b.prerelease[i];
    if (other === undefined) return 1;
    const order = comparePart(part, other);
    if (order !== 0) return order;
  }
  return a.prerelease.length < b.prerelease.length ? -1 : 0;
}

function comparePart(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  const [x, y] = isNumberA ? [BigInt(a), BigInt(b)] : [a, b];
  return x < y ? -1 : x > y ? 1 : 0;
}

function number(version: Semver, index: 0 | 1 | 2): bigint {
  return BigInt.asIntN(64, version.numbers[index]);
}

/** Semantic versions. */
export const semvers: readonly NamedOverload[] = [
  fn("semver", [STRING], semverType, (text) => parse(text, false), { cost: readsFirst }),
  fn("semver", [STRING, BOOL], semverType, parse, { cost: readsFirst }),
  fn("isSemver", [STRING], BOOL, (text) => !(parse(text, false) instanceof CelFailure), { cost: readsFirst }),
  fn("isSemver", [STRING, BOOL], BOOL, (text, normalize) => !(parse(text, normalize) instanceof CelFailure), { cost: readsFirst }),
  method("isGreaterThan", [semverType, semverType], BOOL, (a, b) => compare(a.value, b.value) > 0),
  method("isLessThan", [semverType, semverType], BOOL, (a, b) => compare(a.value, b.value) < 0),
  method("compareTo", [semverType, semverType], INT, (a, b) => BigInt(compare(a.value, b.value))),
  method("major", [semverType], INT, ({ value }) => number(value, 0)),
  method("minor", [semverType], INT, ({ value }) => number(value, 1)),
  method("patch", [semverType], INT, ({ value }) => number(value, 2)),
];
