import { SyntaxIssue, type Token } from "./token.ts";

const SIMPLE: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};
const ESCAPE = /\\(?:([abfnrtv\\'"`?])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|)/g;

/** Reads the string or bytes literal that begins at `offset` with `start`: a prefix like `r` or `b`, and its quotes. */
export function unquote(source: string, offset: number, start: string): Pick<Token, "kind" | "text" | "value"> {
  const prefix = start.replace(/["']+$/, "").toLowerCase();
  const quotes = start.slice(prefix.length);
  const isRaw = prefix.includes("r");
  const end = findEnd(source, offset + start.length, quotes, isRaw);
  if (end === undefined) throw new SyntaxIssue(offset, `Syntax error: token recognition error at: '${source.slice(offset).split("\n")[0] ?? ""}'`);
  const text = source.slice(offset, end + quotes.length);
  const body = normalizeNewlines(source.slice(offset + start.length, end));
  if (prefix.includes("b")) return { kind: "literal", text, value: isRaw ? new TextEncoder().encode(body) : unescapeBytes(body, offset) };
  return { kind: "literal", text, value: isRaw ? body : unescapeString(body, offset) };
}

function findEnd(source: string, from: number, quotes: string, isRaw: boolean): number | undefined {
  for (let i = from; i < source.length; i++) {
    if (source.startsWith(quotes, i)) return i;
    const character = source[i];
    if (character === "\\" && !isRaw) i++;
    else if (quotes.length === 1 && (character === "\n" || character === "\r")) return undefined;
  }
  return undefined;
}

function normalizeNewlines(text: string): string {
  return text.includes("\r") ? text.replaceAll("\r\n", "\n").replaceAll("\r", "\n") : text;
}

function unescapeString(body: string, offset: number): string {
  if (!body.includes("\\")) return body;
  return body.replaceAll(ESCAPE, (whole, simple?: string, hex?: string, u4?: string, u8?: string, octal?: string) => {
    if (simple !== undefined) return SIMPLE[simple] ?? "";
    const code = hex ?? u4 ?? u8;
    const point = code === undefined ? (octal === undefined ? -1 : parseInt(octal, 8)) : parseInt(code, 16);
    if (point < 0) throw new SyntaxIssue(offset, `Syntax error: token recognition error at: '${whole}'`);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw new SyntaxIssue(offset, "invalid unicode code point");
    return String.fromCodePoint(point);
  });
}

function unescapeBytes(body: string, offset: number): Uint8Array {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  let from = 0;
  for (const match of body.matchAll(ESCAPE)) {
    bytes.push(...encoder.encode(body.slice(from, match.index)));
    from = match.index + match[0].length;
    const [whole, simple, hex, u4, u8, octal] = match;
    if (u4 !== undefined || u8 !== undefined) throw new SyntaxIssue(offset, "unable to unescape string");
    if (simple !== undefined) bytes.push(...encoder.encode(SIMPLE[simple] ?? ""));
    else if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(parseInt(octal, 8));
    else throw new SyntaxIssue(offset, `Syntax error: token recognition error at: '${whole}'`);
  }
  // One by one: a literal may be longer than a call may have arguments.
  for (const byte of encoder.encode(body.slice(from))) bytes.push(byte);
  return Uint8Array.from(bytes);
}
