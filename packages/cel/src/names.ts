/** Words that no field of an expression may be called. */
const RESERVED = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
const ESCAPES: Readonly<Record<string, string>> = { __: "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__" };

/** Whether a name is a word of the language. */
export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

/** The name that an expression uses for a field, or undefined if it has none. */
export function escapeName(name: string): string | undefined {
  if (isReserved(name)) return `__${name}__`;
  if (!/^[A-Za-z_.\-/][A-Za-z0-9_.\-/]*$/.test(name)) return undefined;
  return name.replaceAll(/__|[.\-/]/g, (part) => ESCAPES[part] ?? part);
}
