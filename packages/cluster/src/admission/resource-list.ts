import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type PodSpec, type Quantity } from "@sluice/kubernetes";

/** Amounts by resource name. */
export type ResourceList = ReadonlyMap<string, Quantity>;

/** Nothing of anything. */
export const NONE: ResourceList = new Map();

/** One of something that is counted. */
export const ONE: Quantity = parseQuantity("1");

/** The amounts that an object's field holds. */
export function readResources(quantities: Readonly<Record<string, string>> = {}): ResourceList {
  return new Map(Object.entries(quantities).map(([name, text]) => [name, parseQuantity(text)]));
}

/** The amounts as an object's field holds them, by name. */
export function writeResources(list: ResourceList): Record<string, string> {
  const names = [...list.keys()].toSorted();
  return Object.fromEntries(names.map((name) => [name, formatQuantity(list.get(name) ?? { ...ONE, nanos: 0n })]));
}

/** The amounts as messages show them. */
export function showResources(list: ResourceList): string {
  return Object.entries(writeResources(list))
    .map(([name, amount]) => `${name}=${amount}`)
    .join(",");
}

/** Only those of the names that `keeps` says. */
export function maskResources(list: ResourceList, keeps: (name: string) => boolean): ResourceList {
  return new Map([...list].filter(([name]) => keeps(name)));
}

/** Adds what `more` has to `to`. */
export function addResources(to: Map<string, Quantity>, more: ResourceList): void {
  for (const [name, amount] of more) to.set(name, addQuantities(to.get(name) ?? { ...amount, nanos: 0n }, amount));
}

/** Takes what `less` has from `from`. */
export function subtractResources(from: Map<string, Quantity>, less: ResourceList): void {
  for (const [name, amount] of less) from.set(name, addQuantities(from.get(name) ?? { ...amount, nanos: 0n }, { ...amount, nanos: -amount.nanos }));
}

/**
 * The most of each resource that a pod's containers have at any one time, by their requests or their limits: its
 * containers run together; an init container runs alone, except for the sidecars that were started before it and stay.
 * What the pod states as a whole stands in place of that.
 */
export function podResources({ containers, initContainers = [], resources }: PodSpec, field: "requests" | "limits"): ResourceList {
  const together = new Map<string, Quantity>();
  const sidecars = new Map<string, Quantity>();
  const peak = new Map<string, Quantity>();
  for (const container of containers) addResources(together, readResources(container.resources?.[field]));
  for (const container of initContainers) {
    const own = readResources(container.resources?.[field]);
    if (container.restartPolicy === "Always") {
      addResources(together, own);
      addResources(sidecars, own);
      raise(peak, sidecars);
      continue;
    }
    const alone = new Map(sidecars);
    addResources(alone, own);
    raise(peak, alone);
  }
  raise(together, peak);
  for (const [name, amount] of readResources(resources?.[field])) together.set(name, amount);
  return together;
}

function raise(to: Map<string, Quantity>, list: ResourceList): void {
  for (const [name, amount] of list) {
    const known = to.get(name);
    if (known === undefined || compareQuantities(known, amount) < 0) to.set(name, amount);
  }
}
