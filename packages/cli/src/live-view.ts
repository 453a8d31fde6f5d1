import type { WriteStream } from "node:tty";

/** Lines at the bottom of a terminal that are drawn over themselves. */
export class LiveView implements Disposable {
  readonly #output: WriteStream;
  #rows = 0;
  #last = "";

  constructor(output: WriteStream) {
    this.#output = output;
    this.#output.write("\x1b[?25l");
  }

  /** Replaces what is shown, in one write, so that nothing flickers. */
  draw(lines: readonly string[]): void {
    const text = lines.map((line) => `${line}\x1b[K\n`).join("");
    if (text === this.#last) return;
    this.#output.write(`\x1b[?2026h${this.#rows === 0 ? "" : `\x1b[${this.#rows}A`}\r${text}\x1b[J\x1b[?2026l`);
    this.#rows = lines.length;
    this.#last = text;
  }

  /** Leaves what is shown and gives the cursor back. */
  [Symbol.dispose](): void {
    this.#output.write("\x1b[?25h");
  }
}
