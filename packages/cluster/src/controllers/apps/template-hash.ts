import { isDeepStrictEqual } from "node:util";
import type { PodTemplateSpec } from "@sluice/kubernetes";

/** Label that tells the pods of a Deployment's ReplicaSets apart. */
export const HASH_LABEL = "pod-template-hash";
/** Letters that make no words. */
const LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** A short name for a pod template; `collisions` gives it another one where the first is taken. */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${stableJson(withoutHash(template))}${collisions === 0 ? "" : collisions}`))
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return `${hash}`.replaceAll(/\d/g, (digit) => LETTERS.charAt(digit.charCodeAt(0) % LETTERS.length));
}

/** Whether two templates make the same pods. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec): boolean {
  return a !== undefined && isDeepStrictEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** JSON that does not depend on the order of keys. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
