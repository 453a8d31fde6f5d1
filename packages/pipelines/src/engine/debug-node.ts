import type { DebugTarget } from "./debug-pod.ts";

/** The file that the TypeScript SDK's components have their function in, and what stands before it. */
const FILE = "component.js";
const FUNCTION = "export const run = ";

/** A command line that starts Node, as one that waits for a debugger; undefined for any other. */
export function nodeTarget([program = "", ...words]: readonly string[], port: number): DebugTarget | undefined {
  if (!/(?:^|\/)node$/u.test(program) || words.length === 0) return undefined;
  const file = words[0] === "--input-type=module" ? words.indexOf(FILE) + 1 : 0;
  const text = words[file];
  const stopping = file === 0 || text === undefined ? undefined : stoppingText(text);
  return {
    debugger: { kind: "node", port, ...(stopping?.isInside === true ? { stopsIn: "run" } : {}) },
    command: [program, `--inspect-brk=127.0.0.1:${port}`, ...(stopping === undefined ? words : words.with(file, stopping.text))],
    env: [],
  };
}

/** The component's file, which may travel as a JSON string, with a stop: where its function begins, if that has a block, or where the file does. */
function stoppingText(text: string): { readonly text: string; readonly isInside: boolean } {
  const isQuoted = text.startsWith('"');
  const source = isQuoted ? (JSON.parse(text) as string) : text;
  const inside = stoppingSource(source);
  // Node itself stops at no module that stands on its command line.
  const stopping = inside ?? `debugger;${source}`;
  return { text: isQuoted ? JSON.stringify(stopping).replaceAll("$", "\\u0024") : stopping, isInside: inside !== undefined };
}

function stoppingSource(source: string): string | undefined {
  const start = source.indexOf(FUNCTION) + FUNCTION.length;
  if (start < FUNCTION.length) return undefined;
  const [before, run] = [source.slice(0, start), source.slice(start).trimEnd().replace(/;$/u, "")];
  // In a pattern or an object no statement can stand: the first brace after which one can opens the body.
  for (let brace = run.indexOf("{"); brace >= 0; brace = run.indexOf("{", brace + 1)) {
    const stopping = `${run.slice(0, brace + 1)}debugger;${run.slice(brace + 1)}`;
    if (parses(stopping)) return `${before}${stopping};\n`;
  }
  return undefined;
}

function parses(expression: string): boolean {
  try {
    // Only parsed, never called.
    // oxlint-disable-next-line typescript/no-implied-eval
    return typeof new Function(`return (${expression})`) === "function";
  } catch {
    return false;
  }
}
