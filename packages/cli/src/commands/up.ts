import { spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "@sluice/kubernetes";
import { readConfig, startPlatform, type Flags, type Platform } from "@sluice/platform";
import { renderBanner } from "../banner.ts";
import { buildDashboard } from "../dashboard-build.ts";
import { dashboardDirectory, installation, installedVersion } from "../installation.ts";

/** What a detached child says to the command that started it. */
type Report = { readonly banner: string } | { readonly error: string; readonly fix?: string };

/** Starts the platform and stays until a signal stops it; a second signal does not wait. */
export async function up(flags: Flags): Promise<void> {
  let platform: Platform;
  try {
    const config = await readConfig(flags, process.env);
    const building = buildDashboard(dashboardDirectory(), (line) => process.stderr.write(`${line}\n`));
    platform = await startPlatform(config, installation());
    const problem = await building;
    if (problem !== undefined) process.stderr.write(`warning: the dashboard could not be built: ${problem}\n`);
  } catch (error) {
    const { message, fix } =
      error instanceof UserError ? error : { message: error instanceof Error ? (error.stack ?? error.message) : String(error), fix: undefined };
    report({ error: message, ...(fix === undefined ? {} : { fix }) });
    throw error;
  }
  const banner = renderBanner(platform, {
    version: installedVersion(),
    readyMs: performance.now(),
    color: process.stdout.isTTY && process.stdout.hasColors(),
  });
  if (process.send === undefined) process.stdout.write(banner);
  report({ banner });
  flushCompileCache(); // Now, as nobody knows whether this process ends in peace.
  await stopSignal();
  if (process.stdout.isTTY) process.stdout.write("\nstopping; pods go on and are found again (Ctrl-C once more to stop at once)\n");
  await platform[Symbol.asyncDispose]();
  process.exit(); // Whatever still holds the event loop has nothing left to do.
}

/** Starts the platform in a process of its own and returns once it is ready. */
export async function upDetached(flags: Flags): Promise<void> {
  const entry = fileURLToPath(new URL("../../bin/sluice.js", import.meta.url));
  const given = Object.entries(flags).map(([key, value]) => `--${key.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}=${String(value)}`);
  const { dataDir } = await readConfig(flags, process.env);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await using crashes = await open(join(dataDir, "crash.log"), "a", 0o600);
  const child = spawn(process.execPath, [entry, "up", ...given], { detached: true, stdio: ["ignore", "ignore", crashes.fd, "ipc"] });
  const answer = await new Promise<Report>((resolve) => {
    child.once("message", (message) => resolve(message as Report));
    child.once("error", ({ message }) => resolve({ error: message }));
    child.once("exit", (code, signal) =>
      resolve({ error: `it ended at once (${signal ?? `exit code ${code}`})`, fix: "run `sluice up` without --detach to see why" }),
    );
  });
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  if ("error" in answer) throw new UserError(answer.error, answer.fix === undefined ? {} : { fix: answer.fix });
  process.stdout.write(answer.banner);
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
