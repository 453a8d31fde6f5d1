import { PLAIN, readPieces, stripEscapes, type TextPiece, type TextStyle } from "./ansi.ts";

const TAB_WIDTH = 8;
/** A longer line is cut into several, so that no single one can stall the page. */
const LONGEST_LINE = 20_000;

/** A log in memory: lines as they come, and what is needed to draw any of them without reading those before. */
export class LogBuffer {
  /** Plain, as most are, and as searching and counting want them. */
  readonly #lines: string[] = [];
  /** Those with escape sequences, as they came. */
  readonly #styled = new Map<number, string>();
  /** Where a line does not start plain. */
  readonly #starts = new Map<number, TextStyle>();
  #style: TextStyle = PLAIN;
  /** What came after the last line's end. */
  #rest = "";
  #bytes = 0;

  /** How many lines there are, with the one that has not ended yet. */
  get length(): number {
    return this.#lines.length + (this.#rest === "" ? 0 : 1);
  }

  /** How many characters have come. */
  get size(): number {
    return this.#bytes;
  }

  append(text: string): void {
    this.#bytes += text.length;
    const parts = (this.#rest + text).split("\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) this.#push(part);
    while (this.#rest.length > LONGEST_LINE) {
      this.#push(this.#rest.slice(0, LONGEST_LINE));
      this.#rest = this.#rest.slice(LONGEST_LINE);
    }
  }

  /** A line as plain text. */
  text(index: number): string {
    return this.#lines[index] ?? (index === this.#lines.length ? stripEscapes(visible(this.#rest)) : "");
  }

  /** A line's pieces, each as it looks. */
  pieces(index: number): readonly TextPiece[] {
    const line = this.#lines[index];
    if (line === undefined) return index === this.#lines.length ? readPieces(visible(this.#rest), this.#style).pieces : [];
    return readPieces(this.#styled.get(index) ?? line, this.#starts.get(index) ?? PLAIN).pieces;
  }

  #push(line: string): void {
    if (line.length > LONGEST_LINE) {
      for (let from = 0; from < line.length; from += LONGEST_LINE) this.#push(line.slice(from, from + LONGEST_LINE));
      return;
    }
    const shown = visible(line);
    if (Object.keys(this.#style).length > 0) this.#starts.set(this.#lines.length, this.#style);
    if (shown.includes("\u001b")) {
      this.#styled.set(this.#lines.length, shown);
      this.#style = readPieces(shown, this.#style).end;
    }
    this.#lines.push(stripEscapes(shown));
  }
}

/** The line as a terminal leaves it: a carriage return starts it again, and a tab goes to the next stop. */
function visible(line: string): string {
  let text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const restart = text.lastIndexOf("\r");
  if (restart >= 0) text = text.slice(restart + 1);
  if (!text.includes("\t")) return text;
  let column = 0;
  return text.replace(/[^\t]+|\t/gu, (part) => {
    const shown = part === "\t" ? " ".repeat(TAB_WIDTH - (column % TAB_WIDTH)) : part;
    column += stripEscapes(shown).length;
    return shown;
  });
}

/** The lines that contain `query`, whatever its case. */
export function findLines(buffer: LogBuffer, query: string): readonly number[] {
  if (query === "") return [];
  const wanted = query.toLowerCase();
  const found: number[] = [];
  for (let index = 0; index < buffer.length; index++) if (buffer.text(index).toLowerCase().includes(wanted)) found.push(index);
  return found;
}
