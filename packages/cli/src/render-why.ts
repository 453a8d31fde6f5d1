import { styleText } from "node:util";
import type { TaskExplanation } from "@sluice/sdk";
import { MARKS } from "./render-run.ts";
import { clean } from "./task-tree.ts";
import { briefly, widthOf } from "./text.ts";

/** Why tasks stand as they do, as lines of a terminal: each task's state and name, and below it its reasons as sentences. */
export function renderWhy(
  explanations: readonly TaskExplanation[],
  { width, color = false }: { readonly width: number; readonly color?: boolean },
): string[] {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string => (color ? styleText(style, text, { validateStream: false }) : text);
  return explanations.flatMap(({ name, display_name: shown = name, scope_path: path = shown, state, reasons = [] }) => {
    const [mark, style] = MARKS[state] ?? ["?", "dim"];
    const place = clean(path).replace(/^root\./u, "");
    const title = `${paint(style, mark)} ${paint("bold", clean(shown))}${place === shown ? "" : ` ${paint("dim", `(${place})`)}`}`;
    return [
      `${title}  ${paint("dim", state)}`,
      ...reasons.flatMap(({ message }) => wrap(sentence(briefly(clean(message))), width - 2).map((line) => `  ${line}`)),
    ];
  });
}

function sentence(text: string): string {
  const [first = "", ...rest] = text.trimEnd();
  const whole = first.toUpperCase() + rest.join("");
  return /[.!?]$/u.test(whole) || whole.includes("\n") ? whole : `${whole}.`;
}

/** The text in lines of at most `width` columns, if its words allow that. */
function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.split(" ")) {
      if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    return [...lines, line];
  });
}
