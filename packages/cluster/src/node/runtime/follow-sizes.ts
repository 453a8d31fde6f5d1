import type { TerminalSize } from "@sluice/client";
import type { Launcher } from "./launcher.ts";

/** What a terminal follows. */
export interface FollowSizesOptions {
  readonly sizes: AsyncIterable<TerminalSize> | undefined;
  readonly launcher: Launcher;
  /** Called after each change. */
  readonly onResized?: () => void;
}

/** Gives a terminal of this machine the sizes that a client's has, as long as both are there; the programs in it are told by SIGWINCH. */
export async function followSizes(tty: Promise<string>, { sizes, launcher, onResized }: FollowSizesOptions): Promise<void> {
  try {
    const name = (await tty).trim();
    for await (const { width, height } of sizes ?? []) {
      const argv = ["/bin/sh", "-c", 'stty -F "$1" rows "$2" cols "$3"', "sh", name, String(height), String(width)];
      await launcher.run({ argv, env: {}, cwd: "/" }, { signal: new AbortController().signal, maxBytes: 0 });
      onResized?.();
    }
  } catch {
    // The command or the client is gone, and with it the terminal.
  }
}
