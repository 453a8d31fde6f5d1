/** The first index in `[start, end)` at which `before` turns false; `before` must be true, then false. */
export function lowerBound(start: number, end: number, before: (index: number) => boolean): number {
  while (start < end) {
    const middle = (start + end) >>> 1;
    if (before(middle)) start = middle + 1;
    else end = middle;
  }
  return start;
}

/** A map of strings which also knows its keys in order, so that a range is a slice. */
export class Table<V> {
  readonly #values = new Map<string, V>();
  readonly #keys: string[] = [];

  /** The value at `key`. */
  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  /** Puts `value` at `key`, or removes the key if there is none. */
  set(key: string, value: V | undefined): void {
    const known = this.#values.has(key);
    if (value !== undefined) this.#values.set(key, value);
    else this.#values.delete(key);
    if (known !== (value === undefined)) return;
    this.#keys.splice(this.#index(key), known ? 1 : 0, ...(known ? [] : [key]));
  }

  /** The keys with `prefix` that come after `after`, in order. */
  keys(prefix: string, after?: string): string[] {
    const start = this.#index(after === undefined || after < prefix ? prefix : `${after}\0`);
    const end = lowerBound(start, this.#keys.length, (index) => (this.#keys[index] ?? "").startsWith(prefix));
    return this.#keys.slice(start, end);
  }

  #index(key: string): number {
    return lowerBound(0, this.#keys.length, (index) => (this.#keys[index] ?? "") < key);
  }
}
