/**
 * A set of fields in Kubernetes' own notation (`FieldsV1`): a tree whose edges are path elements, `f:name` for a field,
 * `k:{…}` and `v:…` for a list's element. A node without children is a member; one with children is one if it has `.`.
 * Sets are values: operations share what they leave alone.
 */
export interface FieldSet {
  readonly [element: string]: FieldSet;
}

/** A set as it is being built. */
export interface MutableFieldSet {
  [element: string]: FieldSet;
}

/** A member without children; as a whole set, the empty set. */
export const MEMBER: FieldSet = Object.freeze({});

const SELF = ".";

/** Whether a set has no members. */
export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether a node of a set is a member itself. */
export function isMember(node: FieldSet): boolean {
  return node[SELF] !== undefined || isEmptySet(node);
}

/** The node with itself as a member, whatever is below it. */
export function withSelf(node: FieldSet): FieldSet {
  return isMember(node) ? node : { [SELF]: MEMBER, ...node };
}

/** The members of either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  let result: MutableFieldSet | undefined;
  for (const element in b) {
    const [mine, other] = [a[element], b[element] ?? MEMBER];
    const next = mine === undefined ? other : unionNode(mine, other);
    if (next !== mine) (result ??= { ...a })[element] = next;
  }
  return result ?? a;
}

function unionNode(a: FieldSet, b: FieldSet): FieldSet {
  const joined = union(a, b);
  return isMember(a) || isMember(b) ? withSelf(joined) : joined;
}

/** `set` without what lies at or below the members of `roots`. */
export function without(set: FieldSet, roots: FieldSet): FieldSet {
  let result: MutableFieldSet | undefined;
  for (const element in roots) {
    const mine = set[element];
    const root = roots[element];
    if (element === SELF || mine === undefined || root === undefined) continue;
    const left = isMember(root) ? undefined : isEmptySet(mine) ? mine : without(mine, root);
    if (left === mine) continue;
    result ??= { ...set };
    // A node that was a member itself keeps its mark, so that emptiness means that nothing is left.
    if (left === undefined || isEmptySet(left)) delete result[element];
    else result[element] = isOnlySelf(left) ? MEMBER : left;
  }
  return result ?? set;
}

function isOnlySelf(node: FieldSet): boolean {
  for (const element in node) if (element !== SELF) return false;
  return true;
}

/** The members of `set` that lie at or below the members of `roots`. */
export function within(set: FieldSet, roots: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in roots) {
    const mine = set[element];
    const root = roots[element];
    if (element === SELF || mine === undefined || root === undefined) continue;
    if (isMember(root)) result[element] = mine;
    else if (!isEmptySet(mine)) {
      const below = within(mine, root);
      if (!isEmptySet(below)) result[element] = below;
    }
  }
  return result;
}

/**
 * The topmost nodes of `set` that `owned` does not have. A field that holds members counts as one, so that what nobody
 * owns any part of goes as a whole, with the defaults in it; a list's element does so only if it is a member itself.
 */
export function abandoned(set: FieldSet, owned: FieldSet): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in set) {
    const mine = set[element];
    if (element === SELF || mine === undefined) continue;
    const other = owned[element];
    if (other === undefined || (counts(element, mine) && !counts(element, other))) {
      if (counts(element, mine)) result[element] = MEMBER;
      else {
        const below = abandoned(mine, MEMBER);
        if (!isEmptySet(below)) result[element] = below;
      }
      continue;
    }
    const below = abandoned(mine, other);
    if (!isEmptySet(below)) result[element] = below;
  }
  return result;
}

function counts(element: string, node: FieldSet): boolean {
  return element.startsWith("f:") || isMember(node);
}

/** The paths of all members, as messages name them: `.spec.containers[name="a"].image`. */
export function* memberPaths(set: FieldSet, prefix = ""): Generator<string> {
  for (const element in set) {
    const node = set[element];
    if (element === SELF || node === undefined) continue;
    const path = prefix + elementText(element);
    if (isMember(node)) yield path;
    yield* memberPaths(node, path);
  }
}

/** A path element as messages write it: `.name`, `[key="value"]`. */
export function elementText(element: string): string {
  const text = element.slice(2);
  switch (element.slice(0, 2)) {
    case "f:":
      return `.${text}`;
    case "k:": {
      const keys: Record<string, unknown> = JSON.parse(text);
      return `[${Object.entries(keys)
        .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
        .join(",")}]`;
    }
    case "v:":
      return `[=${text}]`;
    default:
      return `[${text}]`;
  }
}

/** Whether two sets have the same members. */
export function isSameSet(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  for (const element in a) {
    const other = b[element];
    if (other === undefined || !isSameSet(a[element] ?? MEMBER, other)) return false;
  }
  for (const element in b) if (a[element] === undefined) return false;
  return true;
}
