import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { findRunning } from "@sluice/platform";

const SLUICE = join(import.meta.dirname, "../packages/cli/bin/sluice.js");

/** A Sluice in a process of its own, on a data directory of its own. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly kubeconfig: string;
  /** From the spawn of the process to its banner, in milliseconds. */
  readonly readyMs: number;
}

/** A data directory that goes when it is disposed of. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts Sluice on `dataDir` and resolves once it is ready. */
export async function startServer(dataDir: string, { sandbox = "auto" }: { readonly sandbox?: "auto" | "none" } = {}): Promise<Server> {
  const started = performance.now();
  const child = spawn(process.execPath, [SLUICE, "up", "--data-dir", dataDir, "--port", "0", "--api-port", "0", "--sandbox", sandbox], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await firstOutput(child);
  const readyMs = performance.now() - started;
  const running = await findRunning(dataDir);
  if (running?.url === undefined || running.kubeconfig === undefined) throw new Error("Sluice did not start");
  return {
    pid: running.pid,
    url: running.url,
    kubeconfig: running.kubeconfig,
    readyMs,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}

async function firstOutput(child: ChildProcess): Promise<void> {
  if (child.stdout === null) throw new Error("the child has no output");
  const ended = once(child, "exit").then(([code]) => Promise.reject(new Error(`Sluice ended with exit code ${String(code)}`)));
  await Promise.race([once(child.stdout, "data"), ended]);
  ended.catch(() => undefined); // Ending later is how it stops.
  child.stdout.resume();
}

/** The resident memory of a process in MiB. */
export function residentMiB(pid: number): number {
  return Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024;
}
