/** How much is kept, twice: what was asked for lately, and what was before that. */
const GENERATION_BYTES: number = 4 * 1024 * 1024;

let young = new Map<object, Buffer>();
let old = new Map<object, Buffer>();
let youngBytes = 0;

/** The JSON of an object. Of one that nobody can change, and hence may be asked for again, it is kept for a while. */
export function encodeJson(object: object): Buffer {
  if (!Object.isFrozen(object)) return Buffer.from(JSON.stringify(object));
  const known = young.get(object);
  if (known !== undefined) return known;
  const bytes = old.get(object) ?? Buffer.from(JSON.stringify(object));
  keep(object, bytes);
  return bytes;
}

/** Tells the JSON of a frozen object to those who will soon ask for it. */
export function rememberEncoding(object: object, json: string): void {
  keep(object, Buffer.from(json));
}

function keep(object: object, bytes: Buffer): void {
  young.set(object, bytes);
  youngBytes += bytes.length;
  if (youngBytes <= GENERATION_BYTES) return;
  old = young;
  young = new Map();
  youngBytes = 0;
}
