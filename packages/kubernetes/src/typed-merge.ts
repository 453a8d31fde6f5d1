import { elementText, isEmptySet, isMember, MEMBER, withSelf, type FieldSet, type MutableFieldSet } from "./field-set.ts";
import { jsonEqual } from "./json-equal.ts";
import { OPEN_FIELD, type MergeField, type MergeType } from "./merge-type.ts";
import { isObject } from "./schema-walk.ts";

/** The fields that a value has: its leaves, the keys of its maps and the elements of its lists. */
export function fieldsOf(value: unknown, type: MergeType): FieldSet {
  if (type.kind === "list") {
    if (!Array.isArray(value)) return MEMBER;
    const set: MutableFieldSet = {};
    for (const item of value) set[type.elementOf(item)] = withSelf(fieldsOf(item, type.item));
    return set;
  }
  if (type.kind === "atom" || !isObject(value)) return MEMBER;
  const set: MutableFieldSet = {};
  for (const name in value) {
    const child = value[name];
    if (child === undefined) continue;
    const field = fieldOf(type, name);
    const below = fieldsOf(child, field.type);
    set[`f:${name}`] = field.isNamed ? below : withSelf(below);
  }
  return set;
}

function fieldOf(type: Extract<MergeType, { kind: "map" | "open" }>, name: string): MergeField {
  return type.kind === "map" ? type.field(name) : OPEN_FIELD;
}

function own(value: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** How two values differ; of `modified` and `removed` the members are the topmost nodes. */
export interface FieldChanges {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** No difference. */
const SAME: FieldChanges = { added: MEMBER, modified: MEMBER, removed: MEMBER };
/** Not a set but a mark: the value itself has changed. */
const CHANGED = Symbol("changed");

/** How `after` differs from `before`. */
export function compareFields(before: unknown, after: unknown, type: MergeType): FieldChanges {
  const changes = compare(before, after, type);
  return changes === CHANGED ? SAME : changes;
}

function compare(before: unknown, after: unknown, type: MergeType): FieldChanges | typeof CHANGED {
  if (before === after) return SAME;
  if (type.kind === "list") {
    const [old, next] = [before ?? [], after ?? []];
    if (!Array.isArray(old) || !Array.isArray(next)) return CHANGED;
    if (old.length === 0 && next.length === 0) return jsonEqual(before, after) ? SAME : CHANGED;
    return compareLists(old, next, type);
  }
  if (type.kind !== "atom") {
    const [old, next] = [before ?? {}, after ?? {}];
    const isMap = type.kind === "map" || isObject(before) || isObject(after);
    if (isMap && isObject(old) && isObject(next)) return compareMaps(old, next, type);
  }
  return jsonEqual(before, after) ? SAME : CHANGED;
}

function compareMaps(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  type: Extract<MergeType, { kind: "map" | "open" }>,
): FieldChanges {
  const collected = new Changes();
  for (const name in after) {
    const [old, next] = [own(before, name), after[name]];
    if (next === undefined || old === next) continue;
    const field = fieldOf(type, name);
    if (old !== undefined) collected.add(`f:${name}`, compare(old, next, field.type), next, field.type);
    else collected.addNew(`f:${name}`, next, field);
  }
  for (const name in before) if (before[name] !== undefined && own(after, name) === undefined) collected.addRemoved(`f:${name}`);
  return collected.result;
}

function compareLists(before: readonly unknown[], after: readonly unknown[], type: Extract<MergeType, { kind: "list" }>): FieldChanges {
  const collected = new Changes();
  const old = new Map(before.map((item) => [type.elementOf(item), item]));
  const next = new Map(after.map((item) => [type.elementOf(item), item]));
  for (const [element, item] of next) {
    if (old.has(element)) collected.add(element, compare(old.get(element), item, type.item), item, type.item);
    else collected.addNew(element, item, { type: type.item, isNamed: false });
  }
  for (const element of old.keys()) if (!next.has(element)) collected.addRemoved(element);
  return collected.result;
}

class Changes {
  #added: MutableFieldSet | undefined;
  #modified: MutableFieldSet | undefined;
  #removed: MutableFieldSet | undefined;

  add(element: string, changes: FieldChanges | typeof CHANGED, after: unknown, type: MergeType): void {
    if (changes === SAME) return;
    if (changes === CHANGED) {
      (this.#modified ??= {})[element] = MEMBER;
      const fields = fieldsOf(after, type);
      if (!isEmptySet(fields)) (this.#added ??= {})[element] = fields;
      return;
    }
    if (!isEmptySet(changes.added)) (this.#added ??= {})[element] = changes.added;
    if (!isEmptySet(changes.modified)) (this.#modified ??= {})[element] = changes.modified;
    if (!isEmptySet(changes.removed)) (this.#removed ??= {})[element] = changes.removed;
  }

  addNew(element: string, value: unknown, { type, isNamed }: MergeField): void {
    const fields = fieldsOf(value, type);
    (this.#added ??= {})[element] = isNamed ? fields : withSelf(fields);
  }

  addRemoved(element: string): void {
    (this.#removed ??= {})[element] = MEMBER;
  }

  get result(): FieldChanges {
    if (this.#added === undefined && this.#modified === undefined && this.#removed === undefined) return SAME;
    return { added: this.#added ?? MEMBER, modified: this.#modified ?? MEMBER, removed: this.#removed ?? MEMBER };
  }
}

/** Why a value cannot be applied, as its lists do not tell their elements apart; undefined if it can. */
export function mergeProblem(value: unknown, type: MergeType, path = ""): string | undefined {
  if (type.kind === "list" && Array.isArray(value)) {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const missing = type.keys.find((key) => !isObject(item) || (item[key] ?? undefined) === undefined);
      if (missing !== undefined)
        return `${path}: element ${i}: associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`;
      const element = type.elementOf(item);
      if (seen.has(element)) return `${path}: duplicate entries for key ${elementText(element)}`;
      seen.add(element);
      const below = mergeProblem(item, type.item, path + elementText(element));
      if (below !== undefined) return below;
    }
  }
  if ((type.kind !== "map" && type.kind !== "open") || !isObject(value)) return undefined;
  for (const name in value) {
    const below = mergeProblem(value[name], fieldOf(type, name).type, `${path}.${name}`);
    if (below !== undefined) return below;
  }
  return undefined;
}

/** `live` with everything that `applied` says. Elements keep the order of `applied`; those it does not name stay where they were. */
export function mergeApplied(live: unknown, applied: unknown, type: MergeType): unknown {
  if (type.kind === "list") return Array.isArray(live) && Array.isArray(applied) ? mergeLists(live, applied, type) : applied;
  if (type.kind === "atom" || !isObject(live) || !isObject(applied)) return applied;
  const result: Record<string, unknown> = { ...live };
  for (const name in applied) {
    const [old, next] = [own(live, name), applied[name]];
    if (next !== undefined) result[name] = old === undefined ? next : mergeApplied(old, next, fieldOf(type, name).type);
  }
  return result;
}

function mergeLists(live: readonly unknown[], applied: readonly unknown[], type: Extract<MergeType, { kind: "list" }>): unknown[] {
  const old = new Map(live.map((item) => [type.elementOf(item), item]));
  const wanted = new Map(applied.map((item) => [type.elementOf(item), item]));
  const pending = wanted.keys();
  const taken = new Set<string>();
  const result: unknown[] = [];
  /** Takes what is applied, in its order, up to and with `last`. */
  const takeUntil = (last: string | undefined): void => {
    for (let next = pending.next(); next.done !== true; next = pending.next()) {
      const element = next.value;
      result.push(old.has(element) ? mergeApplied(old.get(element), wanted.get(element), type.item) : wanted.get(element));
      taken.add(element);
      if (element === last) return;
    }
  };
  for (const item of live) {
    const element = type.elementOf(item);
    if (!wanted.has(element)) result.push(item);
    else if (!taken.has(element)) takeUntil(element);
  }
  takeUntil(undefined);
  return result;
}

/** `value` without what lies at or below the members of `roots`; undefined if nothing is left that is a member of `owned`. */
export function removeFields(value: unknown, roots: FieldSet, type: MergeType, owned: FieldSet | undefined): unknown {
  if (isEmptySet(roots)) return value;
  const isKept = owned !== undefined && isMember(owned);
  if (type.kind === "list") {
    if (!Array.isArray(value)) return value;
    const items = value.flatMap((item: unknown): unknown[] => {
      const element = type.elementOf(item);
      const root = roots[element];
      if (root === undefined) return [item];
      return isEmptySet(root) ? [] : [removeFields(item, root, type.item, owned?.[element])];
    });
    return items.length === 0 && !isKept ? undefined : items;
  }
  if (type.kind === "atom" || !isObject(value)) return value;
  const result: Record<string, unknown> = {};
  for (const name in value) {
    const root = roots[`f:${name}`];
    if (root === undefined) result[name] = value[name];
    else if (!isEmptySet(root)) {
      const left = removeFields(value[name], root, fieldOf(type, name).type, owned?.[`f:${name}`]);
      if (left !== undefined) result[name] = left;
    }
  }
  return Object.keys(result).length === 0 && !isKept ? undefined : result;
}
