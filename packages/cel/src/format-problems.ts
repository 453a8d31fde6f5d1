import type { CallExpr } from "./ast.ts";
import type { Checked } from "./checker.ts";
import type { Issue } from "./errors.ts";
import { FORMAT_CLAUSE } from "./library/format-text.ts";
import { DYN, type CelType } from "./types.ts";

/** What each clause takes, and how it says so. */
const CLAUSES: Readonly<Record<string, { readonly kinds: readonly CelType["kind"][]; readonly text: string }>> = {
  s: {
    kinds: ["string", "bool", "bytes", "int", "uint", "double", "map", "list", "type", "duration", "timestamp", "null"],
    text: "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  },
  d: { kinds: ["int", "uint"], text: "decimal clause can only be used on integers" },
  f: { kinds: ["double"], text: "fixed-point clause can only be used on doubles" },
  e: { kinds: ["double"], text: "scientific clause can only be used on doubles" },
  b: { kinds: ["int", "uint", "bool"], text: "only integers and bools can be formatted as binary" },
  o: { kinds: ["int", "uint"], text: "octal clause can only be used on integers" },
  x: { kinds: ["int", "uint", "string", "bytes"], text: "only integers, byte buffers, and strings can be formatted as hex" },
  X: { kinds: ["int", "uint", "string", "bytes"], text: "only integers, byte buffers, and strings can be formatted as hex" },
};

/** What is wrong with a call of `format` whose text and list of arguments are both written out. */
export function formatProblems({ target, args: [list], offset }: CallExpr, { types }: Checked): Issue[] {
  if (target?.kind !== "literal" || typeof target.value !== "string" || list?.kind !== "list") return [];
  let next = 0;
  for (const [clause, percent, , letter] of target.value.matchAll(FORMAT_CLAUSE)) {
    if (percent !== undefined) continue;
    if (letter === undefined) return [{ offset, message: clause === "%" ? "unexpected end of string" : "could not parse formatting clause" }];
    const known = CLAUSES[letter];
    if (known === undefined) return [{ offset, message: `could not parse formatting clause: unrecognized formatting clause "${letter}"` }];
    const item = list.items[next]?.value;
    if (item === undefined) return [{ offset, message: `index ${next} out of range` }];
    const type = types.get(item) ?? DYN;
    const isSpecial =
      (letter === "f" || letter === "e") && item.kind === "literal" && typeof item.value === "string" && /^(?:NaN|-?Infinity)$/.test(item.value);
    if (type.kind !== "dyn" && type.kind !== "error" && !known.kinds.includes(type.kind) && !isSpecial) {
      return [
        {
          offset: item.offset,
          message: `error during formatting: ${known.text}, was given ${type.kind === "object" || type.kind === "opaque" ? type.name : type.kind}`,
        },
      ];
    }
    next++;
  }
  if (list.items.length <= next) return [];
  return [{ offset, message: `too many arguments supplied to string.format (expected ${next}, got ${list.items.length})` }];
}
