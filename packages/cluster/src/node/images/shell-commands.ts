import { REDIRECTIONS, type ShellPiece, shellTokens, textOf } from "./shell-tokens.ts";

/** One simple command of a shell script. */
export interface ShellCommand {
  /** Its words as the shell would pass them on; undefined for a word that only the running shell can know. */
  readonly words: readonly (string | undefined)[];
  /** It runs whatever happens, unless a command before it fails. */
  readonly isCertain: boolean;
}

/** What the script has set: an array, or a single value. */
type Variables = Map<string, readonly (string | undefined)[]>;

/** What commands stand in: `condition` is sure to be reached as far as what it stands in is. */
type Block = "condition" | "body" | "(";

/**
 * The simple commands of a POSIX or bash script, in order. Variables that the script itself sets are known. Commands in
 * branches, loops, functions, subshells and after `||` are found too, but are not certain. Commands stop at a here-document,
 * whose text is no command.
 */
export function shellCommands(script: string): readonly ShellCommand[] {
  const commands: ShellCommand[] = [];
  const variables: Variables = new Map();
  const blocks: Block[] = [];
  let words: (string | undefined)[] = [];
  let array: string | undefined;
  let isAlternative = false;
  let isFile = false;
  const end = (): void => {
    const isCertain = blocks.every((block) => block === "condition") && !isAlternative;
    if (words.length > 0 && words.every((word) => word !== undefined && ASSIGNMENT.test(word))) assign(variables, words, isCertain);
    if (words.length > 0) commands.push({ words, isCertain });
    words = [];
  };
  for (const token of shellTokens(script)) {
    if (isFile) {
      isFile = false;
      continue;
    }
    if (token.kind === "word") {
      const reserved = words.length === 0 && array === undefined && !token.isQuoted ? textOf(token.pieces) : undefined;
      if (reserved === undefined || !enter(reserved, blocks)) words.push(...resolve(token.pieces, variables));
      continue;
    }
    const { value } = token;
    if (REDIRECTIONS.has(value)) {
      if (value === "<<" || value === "<<-") break;
      isFile = true;
      continue;
    }
    if (array !== undefined) {
      if (value !== ")") continue;
      if (blocks.length === 0) variables.set(array, words);
      else variables.delete(array);
      array = undefined;
      words = [];
      continue;
    }
    const [first = ""] = words;
    if (value === "(" && words.length === 1 && /^\w+=$/u.test(first)) {
      array = first.slice(0, -1);
      words = [];
      continue;
    }
    end();
    if (value === "(") blocks.push("(");
    // In a case, it ends a pattern.
    if (value === ")" && blocks.at(-1) === "(") blocks.pop();
    if (value === "||") isAlternative = true;
    if (value === ";" || value === "\n" || value === "&") isAlternative = false;
  }
  end();
  return commands;
}

const ASSIGNMENT = /^\w+=/u;

/** Notes what a reserved word begins or ends; false for any other word. */
function enter(word: string, blocks: Block[]): boolean {
  switch (word) {
    case "if":
    case "while":
    case "until":
      blocks.push("condition");
      return true;
    case "for":
    case "select":
    case "case":
    case "function":
    case "{":
      blocks.push("body");
      return true;
    case "then":
    case "do":
      if (blocks.length > 0) blocks[blocks.length - 1] = "body";
      return true;
    case "else":
    case "elif":
    case "!":
      return true;
    case "fi":
    case "done":
    case "esac":
    case "}":
      blocks.pop();
      return true;
    default:
      return false;
  }
}

function assign(variables: Variables, words: readonly (string | undefined)[], isCertain: boolean): void {
  for (const word of words) {
    const [, name = "", value = ""] = /^(\w+)=(.*)$/su.exec(word ?? "") ?? [];
    if (isCertain) variables.set(name, [value]);
    else variables.delete(name);
  }
}

function resolve(pieces: readonly ShellPiece[], variables: Variables): readonly (string | undefined)[] {
  const [only] = pieces.filter((piece) => piece.kind !== "text" || piece.text !== "");
  const isAlone = pieces.every((piece) => piece === only || (piece.kind === "text" && piece.text === ""));
  if (only?.kind === "variable" && isAlone) {
    const values = variables.get(only.name) ?? [undefined];
    if (only.isArray) return values;
    return only.isQuoted ? values.slice(0, 1) : (values[0]?.split(/\s+/u).filter((word) => word !== "") ?? [undefined]);
  }
  const texts = pieces.map((piece) => {
    if (piece.kind === "text") return piece.text;
    const value = piece.kind === "variable" && !piece.isArray ? variables.get(piece.name)?.[0] : undefined;
    return piece.kind === "variable" && (piece.isQuoted || !/\s/u.test(value ?? "")) ? value : undefined;
  });
  return [texts.includes(undefined) ? undefined : texts.join("")];
}
