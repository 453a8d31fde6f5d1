import { stripEscapes } from "../logs/ansi.ts";

/** A failure's message taken apart. */
export interface Explanation {
  /** What happened, in one line. */
  readonly what: string;
  /** The end of the log, if the message quotes it. */
  readonly tail?: string;
  /** One line that most likely names the cause. */
  readonly gist: string;
}

/** Takes a message apart: the server says what happened, and after a colon quotes the log, whose last line usually names the cause. */
export function explain(message: string): Explanation {
  const text = stripEscapes(message).trim();
  const quoted = /^(.*?\bexited with code \d+)(?:: |\n)(.+)$/su.exec(text);
  const [first = ""] = text.split("\n");
  if (quoted === null && first === text) return { what: text, gist: text };
  const [what, tail] = quoted === null ? [first, text.slice(first.length + 1)] : [quoted[1] ?? "", quoted[2] ?? ""];
  const cause = tail
    .split("\n")
    .findLast((line) => line.trim() !== "")
    ?.trim();
  return { what, tail: tail.trimEnd(), gist: cause === undefined ? what : `${what}: ${cause}` };
}
