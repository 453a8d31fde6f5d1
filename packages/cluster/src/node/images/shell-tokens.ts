/** A part of a word: text as it stands, a variable, or something that only the running shell can know. */
export type ShellPiece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "variable"; readonly name: string; readonly isArray: boolean; readonly isQuoted: boolean }
  | { readonly kind: "unknown" };

/** A word in pieces, or an operator; a line end is an operator, too. */
export type ShellToken =
  | { readonly kind: "word"; readonly pieces: readonly ShellPiece[]; readonly isQuoted: boolean }
  | { readonly kind: "operator"; readonly value: string };

const OPERATORS = ["&&", "||", ";;", "|&", "<<-", "<<<", "<<", ">>", ">&", "<&", "&>", ">|", "<>", ";", "|", "&", "\n", "(", ")", "<", ">"];
/** Operators before the name of a file. */
export const REDIRECTIONS: ReadonlySet<string> = new Set(["<", ">", ">>", "<<", "<<-", "<<<", ">&", "<&", "&>", ">|", "<>"]);
const UNKNOWN: ShellPiece = { kind: "unknown" };

/** The tokens of a shell script, by the quoting rules of POSIX and bash. Never throws: an open quote ends with the script. */
export function* shellTokens(script: string): Generator<ShellToken> {
  let at = 0;
  let word: ShellPiece[] | undefined;
  let isQuoted = false;
  const add = (...pieces: ShellPiece[]): void => {
    word = [...(word ?? []), ...pieces];
  };
  const take = (): readonly ShellToken[] => {
    const token: ShellToken | undefined = word === undefined ? undefined : { kind: "word", pieces: merge(word), isQuoted };
    word = undefined;
    isQuoted = false;
    return token === undefined ? [] : [token];
  };
  while (at < script.length) {
    const character = script.charAt(at);
    if (character === "'") {
      const close = closing(script, "'", at + 1);
      add({ kind: "text", text: script.slice(at + 1, close) });
      isQuoted = true;
      at = close + 1;
    } else if (character === '"') {
      const inner = doubleQuoted(script, at + 1);
      add(...inner.pieces);
      isQuoted = true;
      at = inner.end;
    } else if (character === "\\") {
      if (script.charAt(at + 1) !== "\n") {
        add({ kind: "text", text: script.charAt(at + 1) });
        isQuoted = true;
      }
      at += 2;
    } else if (character === "$" || character === "`") {
      const { piece, end } = expansion(script, at, false);
      add(piece);
      at = end;
    } else if (character === "#" && word === undefined) {
      at = closing(script, "\n", at);
    } else if (character === " " || character === "\t" || character === "\r") {
      yield* take();
      at++;
    } else {
      const operator = OPERATORS.find((candidate) => script.startsWith(candidate, at));
      if (operator === undefined) {
        // The shell replaces words with * and ? by the names of files.
        add(character === "*" || character === "?" ? UNKNOWN : { kind: "text", text: character });
        at++;
      } else {
        const [token] = take();
        // In 2>&1 the digit belongs to the operator.
        const isDescriptor = REDIRECTIONS.has(operator) && token?.kind === "word" && !token.isQuoted && /^\d+$/u.test(textOf(token.pieces) ?? "");
        if (token !== undefined && !isDescriptor) yield token;
        yield { kind: "operator", value: operator };
        at += operator.length;
      }
    }
  }
  yield* take();
}

/** A word that is the same however the script runs; undefined for others. */
export function textOf(pieces: readonly ShellPiece[]): string | undefined {
  return pieces.every((piece) => piece.kind === "text") ? pieces.map(({ text }) => text).join("") : undefined;
}

function merge(pieces: readonly ShellPiece[]): readonly ShellPiece[] {
  const merged: ShellPiece[] = [];
  for (const piece of pieces) {
    const last = merged.at(-1);
    if (piece.kind === "text" && last?.kind === "text") merged[merged.length - 1] = { kind: "text", text: last.text + piece.text };
    else merged.push(piece);
  }
  return merged;
}

function doubleQuoted(script: string, start: number): { readonly pieces: readonly ShellPiece[]; readonly end: number } {
  const pieces: ShellPiece[] = [{ kind: "text", text: "" }];
  let at = start;
  while (at < script.length && script.charAt(at) !== '"') {
    const character = script.charAt(at);
    if (character === "\\") {
      const next = script.charAt(at + 1);
      if (next !== "\n") pieces.push({ kind: "text", text: /[$`"\\]/u.test(next) ? next : `\\${next}` });
      at += 2;
    } else if (character === "$" || character === "`") {
      const { piece, end } = expansion(script, at, true);
      pieces.push(piece);
      at = end;
    } else {
      pieces.push({ kind: "text", text: character });
      at++;
    }
  }
  return { pieces, end: at + 1 };
}

function expansion(script: string, at: number, isQuoted: boolean): { readonly piece: ShellPiece; readonly end: number } {
  const [whole, plain, braced, index] = /^\$(?:(\w+)|\{(\w+)(\[@\])?\})/u.exec(script.slice(at, at + 256)) ?? [];
  const name = plain ?? braced;
  if (whole !== undefined && name !== undefined && !/^\d/u.test(name)) {
    return { piece: { kind: "variable", name, isArray: index !== undefined, isQuoted }, end: at + whole.length };
  }
  return { piece: UNKNOWN, end: expansionEnd(script, at) };
}

function expansionEnd(script: string, at: number): number {
  if (script.charAt(at) === "`") return closing(script, "`", at + 1) + 1;
  const open = script.charAt(at + 1);
  if (open !== "(" && open !== "{")
    return at + (/^\$[^\s\w"'\\]/u.test(script.slice(at, at + 2)) ? 2 : (/^\$\w*/u.exec(script.slice(at, at + 256))?.[0].length ?? 1));
  const close = open === "(" ? ")" : "}";
  let depth = 0;
  for (let index = at + 1; index < script.length; index++) {
    const character = script.charAt(index);
    if (character === "\\") index++;
    else if (character === "'") index = closing(script, "'", index + 1);
    else if (character === open) depth++;
    else if (character === close && --depth === 0) return index + 1;
  }
  return script.length;
}

function closing(script: string, quote: string, from: number): number {
  const index = script.indexOf(quote, from);
  return index < 0 ? script.length : index;
}
