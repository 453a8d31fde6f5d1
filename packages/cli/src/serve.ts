import { spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "@sluice/kubernetes";
import { readConfig, type Flags } from "@sluice/platform";

/** What a detached child says to the command that started it. */
type Report = { readonly banner: string } | { readonly error: string; readonly fix?: string };

/** Starts something, says so, and stays until a signal stops it; a second signal does not wait. */
export async function serve<S extends AsyncDisposable>(start: () => Promise<S>, bannerOf: (started: S) => string): Promise<void> {
  let started: S;
  try {
    started = await start();
  } catch (error) {
    const { message, fix } =
      error instanceof UserError ? error : { message: error instanceof Error ? (error.stack ?? error.message) : String(error), fix: undefined };
    report({ error: message, ...(fix === undefined ? {} : { fix }) });
    throw error;
  }
  const banner = bannerOf(started);
  if (process.send === undefined) process.stdout.write(banner);
  report({ banner });
  flushCompileCache(); // Now, as nobody knows whether this process ends in peace.
  await stopSignal();
  if (process.stdout.isTTY) process.stdout.write("\nstopping; pods go on and are found again (Ctrl-C once more to stop at once)\n");
  await started[Symbol.asyncDispose]();
  process.exit(); // Whatever still holds the event loop has nothing left to do.
}

/** Runs a command that serves in a process of its own and returns once it is ready. */
export async function detach(command: string, flags: Flags, others: Readonly<Record<string, string>> = {}): Promise<void> {
  const entry = fileURLToPath(new URL("../bin/sluice.js", import.meta.url));
  const given = Object.entries({ ...flags, ...others }).map(
    ([key, value]) => `--${key.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}=${String(value)}`,
  );
  const { dataDir } = await readConfig(flags, process.env);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using crashes = await open(join(dataDir, "crash.log"), "a", 0o600);
  const child = spawn(process.execPath, [entry, command, ...given], { detached: true, stdio: ["ignore", "ignore", crashes.fd, "ipc"] });
  const answer = await new Promise<Report>((resolve) => {
    child.once("message", (message) => resolve(message as Report));
    child.once("error", ({ message }) => resolve({ error: message }));
    child.once("exit", (code, signal) =>
      resolve({ error: `it ended at once (${signal ?? `exit code ${code}`})`, fix: `run \`sluice ${command}\` without --detach to see why` }),
    );
  });
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  if ("error" in answer) throw new UserError(answer.error, answer.fix === undefined ? {} : { fix: answer.fix });
  process.stdout.write(answer.banner);
}

/** Whether what is printed may be coloured. */
export function hasColors(): boolean {
  return process.stdout.isTTY && process.stdout.hasColors();
}

/** Resolves with the first signal that asks to stop; the next one ends the process. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(130);
        asked = true;
        resolve();
      });
    }
  });
}

function report(message: Report): void {
  process.send?.(message);
}
