/** Longer texts are hardly ever the same, and would be expensive to keep. */
const MAX_LENGTH = 64;
const MAX_TEXTS = 1000;

/** `compute`, which must depend on the text alone, with its last results kept: for texts of which a cluster has few. */
export function remember<T>(compute: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    if (text.length > MAX_LENGTH) return compute(text);
    const earlier = known.get(text);
    if (earlier !== undefined || known.has(text)) return earlier as T;
    const result = compute(text);
    if (known.size >= MAX_TEXTS) known.clear();
    known.set(text, result);
    return result;
  };
}
