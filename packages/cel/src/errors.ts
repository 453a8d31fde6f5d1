/**
 * Why an expression gave no value. `compile`: it is malformed or ill-typed; `evaluation`: it failed on these values, as
 * by a division by zero; `cost`: it was stopped because it had cost too much.
 */
export type CelErrorKind = "compile" | "evaluation" | "cost";

/** An expression that gave no value. */
export class CelError extends Error {
  override readonly name = "CelError";
  readonly kind: CelErrorKind;

  constructor(kind: CelErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** One mistake in an expression's text. */
export interface Issue {
  /** In UTF-16 units from the start. */
  readonly offset: number;
  readonly message: string;
}

const MAX_ISSUES = 100;
/** Lines that are longer are not shown again below the message. */
const MAX_SNIPPET = 16_384;

/** The error that lists these mistakes, each with its line and a caret below the place, as upstream writes them. */
export function compileError(source: string, issues: readonly Issue[]): CelError {
  const sorted = issues.toSorted((a, b) => a.offset - b.offset);
  const shown = sorted.slice(0, MAX_ISSUES).map((issue) => showIssue(source, issue));
  if (sorted.length > MAX_ISSUES) shown.push(`${sorted.length - MAX_ISSUES} more errors were truncated`);
  return new CelError("compile", shown.join("\n"));
}

function showIssue(source: string, { offset, message }: Issue): string {
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  const lineEnd = source.indexOf("\n", offset);
  const snippet = source.slice(lineStart, lineEnd < 0 ? undefined : lineEnd).replaceAll("\t", " ");
  const lead = [...source.slice(lineStart, offset)];
  const head = `ERROR: <input>:${line}:${lead.length + 1}: ${message}`;
  if (snippet.length > MAX_SNIPPET) return head;
  const dots = lead.map((character) => (isWide(character) ? "\uff0e" : ".")).join("");
  const at = [...source.slice(offset, offset + 2)][0] ?? "";
  return `${head}\n | ${snippet}\n | ${dots}${isWide(at) ? "\uff3e" : "^"}`;
}

function isWide(character: string): boolean {
  return (character.codePointAt(0) ?? 0) > 0x7f;
}
