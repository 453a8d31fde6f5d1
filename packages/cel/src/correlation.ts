import { isJsonObject, jsonEqual, type Schema } from "@sluice/kubernetes";

/** A value of an update and the one that it replaces, and what is known of how they belong together. */
export class Correlation {
  readonly #schema: Schema;
  readonly #value: unknown;
  readonly #old: unknown;
  #isSame: boolean | undefined;
  #items: OldItems | undefined;

  constructor(schema: Schema, value: unknown, old: unknown) {
    this.#schema = schema;
    this.#value = value;
    this.#old = old;
  }

  /** Whether nothing has changed; the order of a list that is a map does not count. */
  get isSame(): boolean {
    return (this.#isSame ??= this.#compare());
  }

  /** The pair below a member; undefined if there are not two. */
  member(name: string): Correlation | undefined {
    if (!isJsonObject(this.#value) || !isJsonObject(this.#old) || !Object.hasOwn(this.#value, name) || !Object.hasOwn(this.#old, name))
      return undefined;
    const { properties, additionalProperties } = this.#schema;
    const property = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const schema = property ?? (typeof additionalProperties === "object" ? additionalProperties : undefined);
    return schema === undefined ? undefined : new Correlation(schema, this.#value[name], this.#old[name]);
  }

  /** The pair below an item; only items of lists that are maps belong together. */
  item(index: number): Correlation | undefined {
    const { items } = this.#schema;
    if (items === undefined || !Array.isArray(this.#value) || !Array.isArray(this.#old)) return undefined;
    const value: unknown = this.#value[index];
    this.#items ??= new OldItems(this.#schema, this.#old);
    const old = this.#items.find(value);
    return old === undefined ? undefined : new Correlation(items, value, old);
  }

  #compare(): boolean {
    if (this.#value === this.#old) return true;
    if (isJsonObject(this.#value) && isJsonObject(this.#old)) {
      const names = Object.keys(this.#value);
      if (names.length !== Object.keys(this.#old).length) return false;
      const { properties, additionalProperties } = this.#schema;
      if (properties === undefined && typeof additionalProperties !== "object") return jsonEqual(this.#value, this.#old);
      return names.every((name) => this.member(name)?.isSame ?? false);
    }
    if (Array.isArray(this.#value) && Array.isArray(this.#old) && this.#schema["x-kubernetes-list-type"] === "map") {
      return this.#value.length === this.#old.length && this.#value.every((_, i) => this.item(i)?.isSame ?? false);
    }
    return jsonEqual(this.#value, this.#old);
  }
}

/** The items of an old list, found by the keys of new ones. */
export class OldItems {
  readonly #keys: readonly string[] | undefined;
  readonly #items = new Map<string, unknown>();

  constructor(schema: Schema, old: unknown) {
    this.#keys = schema["x-kubernetes-list-type"] === "map" ? (schema["x-kubernetes-list-map-keys"] ?? []) : undefined;
    if (this.#keys === undefined || !Array.isArray(old)) return;
    for (const item of old) {
      const key = this.#keyOf(item);
      if (key !== undefined && !this.#items.has(key)) this.#items.set(key, item);
    }
  }

  find(item: unknown): unknown {
    const key = this.#keyOf(item);
    return key === undefined ? undefined : this.#items.get(key);
  }

  #keyOf(item: unknown): string | undefined {
    if (this.#keys === undefined || !isJsonObject(item)) return undefined;
    return JSON.stringify(this.#keys.map((key) => item[key] ?? null));
  }
}
