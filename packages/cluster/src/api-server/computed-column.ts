import type { KubernetesObject, LabelSelectorSpec, Resource } from "@sluice/kubernetes";
import { age } from "./human-duration.ts";

/** A column whose cells are computed. `priority` above 0 shows only in wide output. */
export interface ComputedColumn<T extends KubernetesObject = KubernetesObject> {
  readonly name: string;
  readonly type: "string" | "integer";
  readonly priority: number;
  readonly cell: (object: T, now: Date) => string | number;
}

type Cell<T extends KubernetesObject> = (object: T, now: Date) => string | number;

const computed = new Map<string, unknown>();

/** The computed columns of a built-in kind; undefined for the kinds whose columns are paths. */
export function computedColumns(resource: Pick<Resource, "group" | "kind">): readonly ComputedColumn[] | undefined {
  // Only `define` writes here, and it writes the columns of this very kind.
  return computed.get(`${resource.group}/${resource.kind}`) as readonly ComputedColumn[] | undefined;
}

/** Says which columns a kind has. */
export function define<T extends KubernetesObject>(resource: Resource<T>, columns: readonly ComputedColumn<T>[]): void {
  computed.set(`${resource.group}/${resource.kind}`, columns);
}

/** The first column of every kind. */
export const NAME: ComputedColumn = text<KubernetesObject>("Name", ({ metadata }) => metadata.name);
/** How long an object has been there. */
export const AGE: ComputedColumn = text<KubernetesObject>("Age", ({ metadata }, now) => age(metadata.creationTimestamp, now));
/** A column of words. */
export function text<T extends KubernetesObject>(name: string, cell: Cell<T>): ComputedColumn<T> {
  return { name, type: "string", priority: 0, cell };
}

/** A column of numbers; 0 where there is none. */
export function count<T extends KubernetesObject>(name: string, cell: (object: T) => number | undefined): ComputedColumn<T> {
  return { name, type: "integer", priority: 0, cell: (object) => cell(object) ?? 0 };
}

/** A column of words in wide output. */
export function wide<T extends KubernetesObject>(name: string, cell: Cell<T>): ComputedColumn<T> {
  return { name, type: "string", priority: 1, cell };
}

/** All items, or that there are none. */
export function listed(items: readonly string[]): string {
  return items.length === 0 ? "<none>" : items.join(",");
}

/** The first three, and how many there are besides. */
export function few(items: readonly string[], none = "<none>"): string {
  if (items.length === 0) return none;
  return items.slice(0, 3).join(",") + (items.length > 3 ? ` + ${items.length - 3} more...` : "");
}

/** A label selector as it is written on the command line. */
export function selector(spec: LabelSelectorSpec | undefined): string {
  const labels = Object.entries(spec?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (spec?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === "Exists") return key;
    return operator === "DoesNotExist" ? `!${key}` : `${key} ${operator.toLowerCase()} (${values.join(",")})`;
  });
  return listed([...labels.toSorted(), ...expressions]);
}
