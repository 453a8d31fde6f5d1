import type { Container, PodSpec } from "@sluice/kubernetes";

/** What a check found wrong with a pod. */
export interface Finding {
  /** As short as can be: all that is told of pods that are there already. */
  readonly reason: string;
  readonly detail: string;
}

/** What a check may know beside the pod's spec. */
export interface CheckContext {
  readonly annotations: Readonly<Record<string, string>>;
  /** The minor version of the standard; Infinity is the latest. */
  readonly minor: number;
}

/** One rule of the Pod Security Standards. */
export interface PodSecurityCheck {
  /** By which upstream orders the findings. */
  readonly id: string;
  /** The minor version of the standard that brought it. */
  readonly since?: number;
  /** The check of the level below that it stands in for. */
  readonly replaces?: string;
  find(spec: PodSpec, context: CheckContext): Finding | undefined;
}

/** The containers of every sort, in the order in which they start. */
export function containersOf({ initContainers = [], containers, ephemeralContainers = [] }: PodSpec): readonly Omit<Container, "resources">[] {
  return [...initContainers, ...containers, ...ephemeralContainers];
}

/** The names of the containers that `isBad` says. */
export function namesOf(spec: PodSpec, isBad: (container: Omit<Container, "resources">) => boolean): string[] {
  return containersOf(spec)
    .filter(isBad)
    .map(({ name }) => name);
}

/** `container "a"`, or `containers "a", "b"`. */
export function named(noun: string, names: readonly string[]): string {
  return `${plural(noun, names)} ${quoted(names)}`;
}

/** The noun, in the number of what it stands for. */
export function plural(noun: string, of: readonly unknown[]): string {
  return of.length === 1 ? noun : `${noun}s`;
}

/** `"a", "b"`. */
export function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(", ");
}

/** Each value once, in order. */
export function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].toSorted();
}

/** Who has set something: the pod itself, some containers, or both. */
export function setters(isPods: boolean, containers: readonly string[]): string | undefined {
  const all = [...(isPods ? ["pod"] : []), ...(containers.length === 0 ? [] : [named("container", containers)])];
  return all.length === 0 ? undefined : all.join(" and ");
}

/** Whether a pod has users of its own, so that its root is nobody's. */
export function hasOwnUsers({ hostUsers }: PodSpec, { minor }: CheckContext): boolean {
  return hostUsers === false && minor >= 35;
}
