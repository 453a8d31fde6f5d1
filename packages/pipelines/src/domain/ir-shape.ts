import { UserError } from "@sluice/kubernetes";

/** What a field may hold. */
export type Kind =
  | "string"
  | "boolean"
  | "number"
  | "integer"
  /** An integer that protojson writes as text; it stays as it is written, for clients compare what they sent. */
  | "int64"
  | "value"
  | "struct"
  | { readonly list: Kind }
  | { readonly map: Kind }
  | { readonly oneOf: readonly string[] }
  | Shape;

/** A message: its fields, which must be there, and which exclude each other. */
export interface Shape {
  readonly fields: Readonly<Record<string, Kind>>;
  readonly required?: readonly string[];
  readonly exactlyOne?: readonly string[];
  readonly atMostOne?: readonly string[];
  readonly discardUnknown?: true;
}

/** Whether `value` is a plain JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy of `value` holding only what `kind` describes; throws a UserError naming the path of what does not fit. */
export function decode(value: unknown, kind: Kind, document: string, path: string): unknown {
  const wrong = (what: string): UserError => fault(document, path, `must be ${what}`);
  const below = (key: string): string => (path === "" ? key : `${path}.${key}`);
  if (kind === "value") {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (Array.isArray(value)) return value.map((item, at) => decode(item, "value", document, `${path}[${at}]`));
    return decode(value, "struct", document, path);
  }
  if (kind === "string" || kind === "boolean") {
    if (typeof value !== kind) throw wrong(`a ${kind}`);
    return value;
  }
  if (kind === "number" || kind === "integer" || kind === "int64") {
    const text = typeof value === "string" && /^-?\d+$/.test(value);
    const fits = text || (typeof value === "number" && (kind === "number" ? Number.isFinite(value) : Number.isSafeInteger(value)));
    if (!fits) throw wrong(kind === "number" ? "a number" : "an integer");
    return kind === "int64" ? value : Number(value);
  }
  if (typeof kind === "object" && "list" in kind) {
    if (!Array.isArray(value)) throw wrong("a list");
    return value.map((item, at) => decode(item, kind.list, document, `${path}[${at}]`));
  }
  if (typeof kind === "object" && "oneOf" in kind) {
    if (typeof value !== "string" || !kind.oneOf.includes(value)) {
      throw fault(document, path, `${JSON.stringify(value)} is not one of ${kind.oneOf.join(", ")}`);
    }
    return value;
  }
  if (!isObject(value)) throw wrong("an object");
  if (kind === "struct" || "map" in kind) {
    const inner = kind === "struct" ? "value" : kind.map;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item, inner, document, below(key))]));
  }
  const result: [string, unknown][] = [];
  const set = new Set<string>();
  for (const [key, item] of Object.entries(value)) {
    const field = Object.hasOwn(kind.fields, key) ? kind.fields[key] : undefined;
    if (field === undefined) {
      if (kind.discardUnknown) continue;
      const near = nearest(key, Object.keys(kind.fields));
      throw fault(document, path, `unknown field "${key}"${near === undefined ? "" : ` (did you mean "${near}"?)`}`);
    }
    // In protojson a null field is an absent one, except where null is itself a value.
    if (item === null && field !== "value") continue;
    result.push([key, decode(item, field, document, below(key))]);
    set.add(key);
  }
  for (const key of kind.required ?? []) if (!set.has(key)) throw fault(document, below(key), "is required");
  const group = kind.exactlyOne ?? kind.atMostOne;
  if (group !== undefined) {
    const count = group.filter((key) => set.has(key)).length;
    if (count > 1 || (count === 0 && kind.exactlyOne !== undefined)) {
      throw fault(document, path, `${kind.exactlyOne ? "exactly" : "at most"} one of ${group.join(", ")} must be set`);
    }
  }
  return Object.fromEntries(result);
}

/** The error that `path` of `document` is wrong. */
export function fault(document: string, path: string, message: string): UserError {
  return new UserError(`${document}: ${path === "" ? "" : `${path}: `}${message}`);
}

function nearest(word: string, choices: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const plain = (text: string): string => text.replaceAll("_", "").toLowerCase();
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const choice of choices) {
    const far = distance(plain(word), plain(choice));
    if (far < least) [best, least] = [choice, far];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
