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

/** Takes a message apart: the server says what happened, and after a colon quotes the log, whose last line, or the one above its stack, usually names the cause. */
export function explain(message: string): Explanation {
  const text = stripEscapes(message).trim();
  const quoted = /^(.*?\bexited with code \d+)(?:: |\n)(.+)$/su.exec(text);
  const [first = ""] = text.split("\n");
  if (quoted === null && first === text) return { what: text, gist: text };
  const [what, tail] = quoted === null ? [first, text.slice(first.length + 1)] : [quoted[1] ?? "", quoted[2] ?? ""];
  const lines = tail.split("\n").filter((line) => line.trim() !== "");
  const frame = lines.findLastIndex(isStackFrame);
  const cause = (lines.slice(0, Math.max(frame, 0)).findLast((line) => !isStackFrame(line)) ?? lines.at(-1))?.trim();
  return { what, tail: tail.trimEnd(), gist: cause === undefined ? what : `${what}: ${cause}` };
}

/** Whether a line is one of those that JavaScript and Java write below an error. */
function isStackFrame(line: string): boolean {
  return /^\s+at /u.test(line);
}
