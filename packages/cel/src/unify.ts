import { DYN, type CelType } from "./types.ts";

/** Finds out what types the open ones stand for, as expressions show how they are used. */
export class Unifier {
  readonly #bound = new Map<string, CelType>();
  /** The names that the assignment in progress has bound, with what they were bound to before. */
  #log: [string, CelType | undefined][] = [];
  #fresh = 0;

  /** An open type that stands for nothing yet. */
  fresh(): CelType {
    return { kind: "param", name: `_var${this.#fresh++}` };
  }

  /** Copies a signature with fresh types in place of its own parameters. */
  instantiate(types: readonly CelType[]): CelType[] {
    const own = new Map<string, CelType>();
    const replace = (type: CelType): CelType => {
      if (type.kind !== "param") return mapType(type, replace);
      let fresh = own.get(type.name);
      if (fresh === undefined) own.set(type.name, (fresh = this.fresh()));
      return fresh;
    };
    return types.map(replace);
  }

  /** Whether values of each type may stand where the other is expected; what that says of open types is kept if so. */
  assign(pairs: readonly (readonly [CelType, CelType])[]): boolean {
    this.#log = [];
    if (pairs.every(([a, b]) => this.#assign(a, b))) return true;
    for (const [name, before] of this.#log.toReversed()) {
      if (before === undefined) this.#bound.delete(name);
      else this.#bound.set(name, before);
    }
    return false;
  }

  /** The type with all that is known of its open parts; with `close`, what is still open is dyn. */
  resolve(type: CelType, close = false): CelType {
    if (type.kind === "param") {
      const bound = this.#bound.get(type.name);
      return bound === undefined ? (close ? DYN : type) : this.resolve(bound, close);
    }
    return mapType(type, (part) => this.resolve(part, close));
  }

  #bind(name: string, type: CelType): void {
    this.#log.push([name, this.#bound.get(name)]);
    this.#bound.set(name, type);
  }

  #assign(a: CelType, b: CelType): boolean {
    if (b.kind === "param") {
      const result = this.#substitute(a, b.name);
      if (result !== undefined) return result;
    }
    if (a.kind === "param") return this.#substitute(b, a.name) ?? false;
    if (isOpen(a) || isOpen(b)) return true;
    if (a.kind === "null") return b.kind === "null" || isNullable(b);
    if (b.kind === "null") return isNullable(a);
    if (a.kind !== b.kind) return false;
    if (a.kind === "list") return b.kind === "list" && this.#assign(a.items, b.items);
    if (a.kind === "map") return b.kind === "map" && this.#assign(a.key, b.key) && this.#assign(a.value, b.value);
    if (a.kind === "optional") return b.kind === "optional" && this.#assign(a.of, b.of);
    if (a.kind === "object" || a.kind === "opaque") return (b.kind === "object" || b.kind === "opaque") && a.name === b.name;
    return true;
  }

  /** Whether the open type of that name may stand for `type`; undefined if the other way round may still be tried. */
  #substitute(type: CelType, name: string): boolean | undefined {
    if (type.kind === "param" && type.name === name) return true;
    const bound = this.#bound.get(name);
    if (bound !== undefined) {
      if (sameType(type, bound)) return true;
      if (!this.#assign(type, bound)) return false;
      const general = isLessSpecific(type, bound) ? type : bound;
      if (!this.#occurs(name, general)) this.#bind(name, general);
      return true;
    }
    if (this.#occurs(name, type)) return undefined;
    this.#bind(name, type);
    return true;
  }

  #occurs(name: string, type: CelType): boolean {
    if (type.kind === "param") {
      if (type.name === name) return true;
      const bound = this.#bound.get(type.name);
      return bound !== undefined && this.#occurs(name, bound);
    }
    return partsOf(type).some((part) => this.#occurs(name, part));
  }
}

function isOpen(type: CelType): boolean {
  return type.kind === "dyn" || type.kind === "error";
}

function isNullable(type: CelType): boolean {
  return type.kind === "opaque" || type.kind === "object" || type.kind === "optional" || type.kind === "duration" || type.kind === "timestamp";
}

/** The more general of two types that fit each other. */
export function mostGeneral(a: CelType, b: CelType): CelType {
  return isLessSpecific(a, b) ? a : b;
}

function isLessSpecific(a: CelType, b: CelType): boolean {
  if (a.kind === "dyn" || a.kind === "param") return true;
  if (b.kind === "dyn" || b.kind === "param" || a.kind !== b.kind) return false;
  if (a.kind === "type") return true;
  const parts = partsOf(b);
  return parts.length === 0 ? sameType(a, b) : partsOf(a).every((part, i) => isLessSpecific(part, parts[i] ?? DYN));
}

/** Whether two types are the same in all parts. */
export function sameType(a: CelType, b: CelType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  if ("name" in a && "name" in b && a.name !== b.name) return false;
  const parts = partsOf(b);
  const mine = partsOf(a);
  return mine.length === parts.length && mine.every((part, i) => sameType(part, parts[i] ?? DYN));
}

function partsOf(type: CelType): readonly CelType[] {
  if (type.kind === "list") return [type.items];
  if (type.kind === "map") return [type.key, type.value];
  if (type.kind === "optional") return [type.of];
  if (type.kind === "type") return type.of === undefined ? [] : [type.of];
  return [];
}

function mapType(type: CelType, change: (part: CelType) => CelType): CelType {
  if (type.kind === "list") {
    const items = change(type.items);
    return items === type.items ? type : { ...type, items };
  }
  if (type.kind === "map") {
    const [key, value] = [change(type.key), change(type.value)];
    return key === type.key && value === type.value ? type : { ...type, key, value };
  }
  if (type.kind === "optional") {
    const of = change(type.of);
    return of === type.of ? type : { ...type, of };
  }
  if (type.kind === "type") return type.of === undefined ? type : { kind: "type", of: change(type.of) };
  return type;
}
