/** How a piece of terminal output looks. Colours are CSS: a variable of `log-view.module.css` for the sixteen, `rgb()` for the rest. */
export interface TextStyle {
  readonly color?: string;
  readonly background?: string;
  readonly isBold?: boolean;
  readonly isDim?: boolean;
  readonly isItalic?: boolean;
  readonly isUnderlined?: boolean;
  readonly isInverse?: boolean;
}

/** A piece of a line that looks the same throughout. */
export interface TextPiece {
  readonly text: string;
  readonly style: TextStyle;
}

/** Looks like nothing in particular. */
export const PLAIN: TextStyle = {};

// Control sequences (colours and cursor movements), operating-system commands (titles, links), and single escapes.
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[([0-9;:]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[()*+][A-Z0-9]|[@-Z\\-_=>78])/gu;

/** The line without its escape sequences. */
export function stripEscapes(line: string): string {
  return line.includes("\u001b") ? line.replace(ESCAPES, "") : line;
}

/** Splits a line into pieces that look alike, starting in `start`, and says how the next line starts. */
export function readPieces(line: string, start: TextStyle): { readonly pieces: readonly TextPiece[]; readonly end: TextStyle } {
  if (!line.includes("\u001b")) return { pieces: line === "" ? [] : [{ text: line, style: start }], end: start };
  const pieces: TextPiece[] = [];
  let style = start;
  let from = 0;
  for (const match of line.matchAll(ESCAPES)) {
    if (match.index > from) pieces.push({ text: line.slice(from, match.index), style });
    from = match.index + match[0].length;
    if (match[2] === "m") style = restyle(style, match[1] ?? "");
  }
  if (from < line.length) pieces.push({ text: line.slice(from), style });
  return { pieces, end: style };
}

function restyle(style: TextStyle, codes: string): TextStyle {
  const numbers = codes.split(/[;:]/u).map((code) => (code === "" ? 0 : Number(code)));
  let next: { -readonly [K in keyof TextStyle]: TextStyle[K] } = { ...style };
  for (let index = 0; index < numbers.length; index++) {
    const code = numbers[index] ?? 0;
    if (code === 0) next = {};
    else if (code === 1) next.isBold = true;
    else if (code === 2) next.isDim = true;
    else if (code === 3) next.isItalic = true;
    else if (code === 4) next.isUnderlined = true;
    else if (code === 7) next.isInverse = true;
    else if (code === 22) {
      delete next.isBold;
      delete next.isDim;
    } else if (code === 23) delete next.isItalic;
    else if (code === 24) delete next.isUnderlined;
    else if (code === 27) delete next.isInverse;
    else if (code === 39) delete next.color;
    else if (code === 49) delete next.background;
    else if (code >= 30 && code <= 37) next.color = named(code - 30);
    else if (code >= 90 && code <= 97) next.color = named(code - 90 + 8);
    else if (code >= 40 && code <= 47) next.background = named(code - 40);
    else if (code >= 100 && code <= 107) next.background = named(code - 100 + 8);
    else if (code === 38 || code === 48) {
      const isIndexed = numbers[index + 1] === 5;
      const color = isIndexed ? indexed(numbers[index + 2] ?? 0) : rgb(numbers.slice(index + 2, index + 5));
      index += isIndexed ? 2 : 4;
      if (code === 38) next.color = color;
      else next.background = color;
    }
  }
  return next;
}

function named(index: number): string {
  return `var(--ansi-${index})`;
}

/** One of the 256 colours: the sixteen, a cube of 6 by 6 by 6, and 24 greys. */
function indexed(index: number): string {
  if (index < 16) return named(index);
  if (index >= 232) return rgb([0, 0, 0].map(() => 8 + (index - 232) * 10));
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return rgb([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)]);
}

function rgb([red = 0, green = 0, blue = 0]: readonly number[]): string {
  return `rgb(${red} ${green} ${blue})`;
}
