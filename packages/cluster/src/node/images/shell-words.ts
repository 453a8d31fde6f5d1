/** One simple command of a shell script. */
export interface ShellCommand {
  /** Its words as the shell would pass them on; undefined for a word that only the running shell can know. */
  readonly words: readonly (string | undefined)[];
  /** It runs whatever happens, unless a command before it fails. */
  readonly certain: boolean;
}

type Token = { readonly kind: "word"; readonly value: string | undefined; readonly quoted: boolean } | { readonly kind: "operator"; readonly value: string };

const OPENING = new Set(["if", "while", "until", "for", "case", "select", "{", "function"]);
const CLOSING = new Set(["fi", "done", "esac", "}"]);
const CONNECTING = new Set(["then", "else", "elif", "do", "!"]);
const OPERATORS = ["&&", "||", ";;", "|&", "<<-", "<<<", "<<", ">>", ">&", "<&", "&>", ">|", "<>", ";", "|", "&", "\n", "(", ")", "<", ">"] as const;
const REDIRECTIONS = new Set<string>(["<", ">", ">>", "<<", "<<-", "<<<", ">&", "<&", "&>", ">|", "<>"]);

/**
 * The simple commands of a POSIX shell script, in order. Words are unquoted; those with expansions are unknown. Commands
 * in conditions, loops, functions, subshells and after `||` are found too, but are not certain. Commands stop at a
 * here-document, whose text is no command.
 */
export function shellCommands(script: string): readonly ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: (string | undefined)[] = [];
  let depth = 0;
  let alternative = false;
  let skip = false;
  const end = (): void => {
    if (words.length > 0) commands.push({ words, certain: depth === 0 && !alternative });
    words = [];
  };
  for (const token of tokens(script)) {
    if (skip) {
      // The file of a redirection.
      skip = false;
      continue;
    }
    if (token.kind === "word") {
      const reserved = words.length === 0 && !token.quoted ? token.value : undefined;
      if (reserved !== undefined && OPENING.has(reserved)) depth++;
      else if (reserved !== undefined && CLOSING.has(reserved)) depth--;
      else if (reserved === undefined || !CONNECTING.has(reserved)) words.push(token.value);
      continue;
    }
    if (REDIRECTIONS.has(token.value)) {
      if (token.value.startsWith("<<") && token.value !== "<<<") break;
      skip = true;
      continue;
    }
    end();
    if (token.value === "(") depth++;
    if (token.value === ")") depth--;
    if (token.value === "||") alternative = true;
    if (token.value === ";" || token.value === "\n" || token.value === "&") alternative = false;
  }
  end();
  return commands;
}

function* tokens(script: string): Generator<Token> {
  let at = 0;
  let text: string | undefined;
  let known = true;
  let quoted = false;
  const take = (): readonly Token[] => {
    const token: Token | undefined = text === undefined ? undefined : { kind: "word", value: known ? text : undefined, quoted };
    text = undefined;
    known = true;
    quoted = false;
    return token === undefined ? [] : [token];
  };
  while (at < script.length) {
    const character = script.charAt(at);
    if (character === "'") {
      const close = closing(script, "'", at + 1);
      text = (text ?? "") + script.slice(at + 1, close);
      quoted = true;
      at = close + 1;
    } else if (character === '"') {
      const inner = doubleQuoted(script, at + 1);
      text = (text ?? "") + inner.text;
      known &&= inner.known;
      quoted = true;
      at = inner.end;
    } else if (character === "\\") {
      if (script.charAt(at + 1) !== "\n") {
        text = (text ?? "") + script.charAt(at + 1);
        quoted = true;
      }
      at += 2;
    } else if (character === "$" || character === "`") {
      text ??= "";
      known = false;
      at = expansionEnd(script, at);
    } else if (character === "#" && text === undefined) {
      const line = script.indexOf("\n", at);
      at = line < 0 ? script.length : line;
    } else if (character === " " || character === "\t" || character === "\r") {
      yield* take();
      at++;
    } else {
      const operator = OPERATORS.find((candidate) => script.startsWith(candidate, at));
      if (operator === undefined) {
        text = (text ?? "") + character;
        // The shell replaces these by file names.
        if (character === "*" || character === "?") known = false;
        at++;
      } else {
        // In `2>&1` the digit belongs to the operator.
        if (!(REDIRECTIONS.has(operator) && text !== undefined && /^\d+$/u.test(text) && !quoted)) yield* take();
        text = undefined;
        yield { kind: "operator", value: operator };
        at += operator.length;
      }
    }
  }
  yield* take();
}

function doubleQuoted(script: string, start: number): { readonly text: string; readonly known: boolean; readonly end: number } {
  let text = "";
  let known = true;
  let at = start;
  while (at < script.length && script.charAt(at) !== '"') {
    const character = script.charAt(at);
    if (character === "\\") {
      const next = script.charAt(at + 1);
      if (next !== "\n") text += /[$`"\\]/u.test(next) ? next : `\\${next}`;
      at += 2;
    } else if (character === "$" || character === "`") {
      known = false;
      at = expansionEnd(script, at);
    } else {
      text += character;
      at++;
    }
  }
  return { text, known, end: at + 1 };
}

/** Past the expansion that starts at `at`. */
function expansionEnd(script: string, at: number): number {
  if (script.charAt(at) === "`") return closing(script, "`", at + 1) + 1;
  const open = script.charAt(at + 1);
  if (open !== "(" && open !== "{") return at + Math.max(1, /^\$(?:\w+|[^\s\w"'\\])?/u.exec(script.slice(at, at + 256))?.[0].length ?? 1);
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
