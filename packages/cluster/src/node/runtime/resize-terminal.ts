import type { TerminalSize } from "@sluice/client";
import type { Launcher } from "./launcher.ts";

/** Gives a terminal another size; the programs in it are told by SIGWINCH. One that is gone is left alone. */
export async function resizeTerminal(launcher: Launcher, tty: string, { width, height }: TerminalSize): Promise<void> {
  const argv = ["/bin/sh", "-c", 'stty -F "$1" rows "$2" cols "$3"', "sh", tty, String(height), String(width)];
  await launcher.run({ argv, env: {}, cwd: "/" }, { signal: new AbortController().signal, maxBytes: 0 });
}
