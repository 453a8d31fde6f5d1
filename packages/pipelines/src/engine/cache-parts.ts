import type { CacheKey, Sha256 } from "../domain/fingerprint.ts";
import type { JsonValue } from "../domain/ir.ts";

/**
 * A cache key in parts that can be compared and shown: `image`, `command`, `claims`, `outputs`, `key`, `parameter x`, `artifact x`.
 * A short part is its own text; of a long one, the beginning and a hash are kept.
 */
export type KeyParts = Readonly<Record<string, string>>;

/** One part in which two keys differ; absent where that key has no such part. */
export interface KeyDifference {
  readonly part: string;
  readonly before?: string;
  readonly now?: string;
}

const LONGEST_PART = 80;
const HASH_LENGTH = 12;

/** The parts of a key. */
export function keyPartsOf({ container, inputParameters, inputArtifacts, outputArtifacts, outputParameters }: CacheKey, sha256: Sha256): KeyParts {
  const short = (value: JsonValue): string => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return text.length <= LONGEST_PART ? text : `${text.slice(0, LONGEST_PART - HASH_LENGTH - 2)}…#${sha256(text).slice(0, HASH_LENGTH)}`;
  };
  const all = (word: string, values: Readonly<Record<string, JsonValue>> = {}): [string, string][] =>
    Object.entries(values).map(([name, value]) => [`${word} ${name}`, short(value)]);
  const claims = [...new Set(container.pvcNames ?? [])].sort();
  return Object.fromEntries([
    ["image", short(container.image)],
    ["command", short([...container.command, ...container.args])],
    ...(claims.length === 0 ? [] : [["claims", short(claims)]]),
    ["outputs", short([sorted(outputParameters), sorted(outputArtifacts)])],
    ...all("parameter", inputParameters),
    ...all("artifact", inputArtifacts),
  ]);
}

function sorted(record: Readonly<Record<string, JsonValue>> = {}): JsonValue {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** In what two keys differ, in the order of the newer one's parts. */
export function differencesOf(before: KeyParts, now: KeyParts): readonly KeyDifference[] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(before)])];
  return names.flatMap((part): KeyDifference[] => {
    const [old, fresh] = [before[part], now[part]];
    if (old === fresh) return [];
    return [{ part, ...(old === undefined ? {} : { before: old }), ...(fresh === undefined ? {} : { now: fresh }) }];
  });
}

/** The key that differs least from `now`, and among such the first. */
export function nearestOf<T>(
  candidates: readonly T[],
  now: KeyParts,
  partsOf: (candidate: T) => KeyParts,
): { readonly candidate: T; readonly differences: readonly KeyDifference[] } | undefined {
  const compared = candidates.map((candidate) => ({ candidate, differences: differencesOf(partsOf(candidate), now) }));
  const fewest = Math.min(...compared.map(({ differences }) => differences.length));
  return compared.find(({ differences }) => differences.length === fewest);
}
