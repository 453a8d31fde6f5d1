import type { TextPiece } from "./ansi.ts";
import type { LogBuffer } from "./log-buffer.ts";

/** Which row of the screen shows what: with wrapping, a long line takes several rows, all of the same height. */
export class LogRows {
  readonly #buffer: LogBuffer;
  readonly #columns: number;
  /** By line, the row after its last. */
  readonly #ends: number[] = [];

  /** `columns` characters fit into a row; Infinity for no wrapping. */
  constructor(buffer: LogBuffer, columns: number) {
    this.#buffer = buffer;
    this.#columns = columns;
  }

  /** Takes in what was appended. The last line may have grown, so it is counted again. */
  count(): number {
    const { length } = this.#buffer;
    if (this.#columns === Infinity) return length;
    this.#ends.pop();
    for (let line = this.#ends.length; line < length; line++) {
      this.#ends.push((this.#ends[line - 1] ?? 0) + Math.max(1, Math.ceil(this.#buffer.text(line).length / this.#columns)));
    }
    return this.#ends.at(-1) ?? 0;
  }

  /** The first row of a line. */
  rowOf(line: number): number {
    return this.#columns === Infinity ? line : (this.#ends[line - 1] ?? 0);
  }

  /** The line that a row shows, and which of the line's rows it is. */
  at(row: number): { readonly line: number; readonly part: number } {
    if (this.#columns === Infinity) return { line: row, part: 0 };
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ends[middle] ?? 0) <= row) low = middle + 1;
      else high = middle;
    }
    return { line: low, part: row - this.rowOf(low) };
  }

  /** What a row shows. */
  pieces({ line, part }: { readonly line: number; readonly part: number }): readonly TextPiece[] {
    const pieces = this.#buffer.pieces(line);
    if (this.#columns === Infinity) return pieces;
    return slicePieces(pieces, part * this.#columns, (part + 1) * this.#columns);
  }
}

/** The pieces between two columns. */
export function slicePieces(pieces: readonly TextPiece[], from: number, to: number): readonly TextPiece[] {
  const cut: TextPiece[] = [];
  let column = 0;
  for (const { text, style } of pieces) {
    const part = text.slice(Math.max(0, from - column), Math.max(0, to - column));
    if (part !== "") cut.push({ text: part, style });
    column += text.length;
    if (column >= to) break;
  }
  return cut;
}
