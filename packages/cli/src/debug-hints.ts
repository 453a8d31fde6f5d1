import type { DebugPod } from "@sluice/sdk";

/** The longest word of a command line that is shown whole. */
const LONGEST_WORD = 120;

/** Where files of the image lie here. An editor shows what lies elsewhere as the step has it, once there is a mapping at all. */
const SOURCES = { localRoot: "${workspaceFolder}", remoteRoot: "/app" };

/** How to attach to what waits at a local port. */
export function attachHint({ kind, stopsIn }: { readonly kind: "python" | "node"; readonly stopsIn?: string | undefined }, port: number): string {
  const address = { host: "127.0.0.1", port };
  const configuration =
    kind === "python"
      ? { name: "Attach to the step", type: "debugpy", request: "attach", connect: address, justMyCode: true, pathMappings: [SOURCES] }
      : { name: "Attach to the step", type: "node", request: "attach", address: address.host, port, continueOnAttach: true };
  const others = kind === "python" ? "" : `Or open chrome://inspect in Chrome, or run: node inspect 127.0.0.1:${port}\n`;
  return (
    `A debugger may attach at 127.0.0.1:${port}. ${stopsIn === undefined ? "The program stops where it begins." : `The program stops in ${stopsIn}().`}\n` +
    `In VS Code, put this into "configurations" of .vscode/launch.json, and start it:\n${JSON.stringify(configuration, undefined, 2)}\n${others}`
  );
}

/** What to do in a shell that stands in a step's place. */
export function shellHint({ command_line: words }: Pick<DebugPod, "command_line">, script: string): string {
  const shown = words.map((word) => (word.length > LONGEST_WORD ? `${quoted(word.slice(0, LONGEST_WORD))}…` : quoted(word))).join(" ");
  const what = words.length === 0 ? "Only its image knows what the step runs.\n" : `The step runs, and so does ${script}:\n${shown}\n`;
  return `${what}Outputs are not kept. The pod is deleted when this shell ends.\n`;
}

function quoted(word: string): string {
  return /^[\w./:=@%+,-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
