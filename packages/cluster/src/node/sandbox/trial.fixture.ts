import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/controller";
import { joining } from "./host-command.ts";
import { openSandboxes, type SandboxesOptions } from "./open-sandboxes.ts";
import type { HostCommand, Sandboxes, SandboxPod } from "./sandbox.ts";

/** Sandboxes in a directory of their own, for tests. */
export interface Trial extends AsyncDisposable {
  readonly directory: string;
  readonly sandboxes: Sandboxes;
  /** Opens them once more, as the next process would. */
  reopen(): Promise<Sandboxes>;
}

/** Opens sandboxes for a test, which disposes of them with everything in them. */
export async function openTrial(options: Partial<SandboxesOptions> = {}): Promise<Trial> {
  const { directory = mkdtempSync(join(tmpdir(), "sandboxes-")) } = options;
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const open = (): Promise<Sandboxes> =>
    openSandboxes({ directory, hidden: [directory], clock: systemClock, logger: quiet, path: process.env["PATH"] ?? "", ...options });
  let sandboxes = await open();
  return {
    directory,
    sandboxes,
    async reopen() {
      await sandboxes[Symbol.asyncDispose]();
      sandboxes = await open();
      return sandboxes;
    },
    async [Symbol.asyncDispose]() {
      await sandboxes.retain(new Set());
      await sandboxes[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A pod for tests. */
export function podNamed(name: string, more: Partial<SandboxPod> = {}): SandboxPod {
  return { uid: `uid-${name}`, namespace: "default", name, hostname: name, hostNetwork: false, ...more };
}

/** Starts a command as the node does. */
export function start(command: HostCommand, options: { readonly detached?: boolean } = {}): ChildProcess {
  const {
    argv: [program = "", ...args],
    env,
    cwd,
  } = joining(command);
  return spawn(program, args, { ...options, env: { ...env }, cwd, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs a command to its end. */
export function finish(command: HostCommand): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = start(command);
    let output = "";
    child.stdout?.on("data", (bytes: Buffer) => (output += bytes.toString()));
    child.stderr?.on("data", (bytes: Buffer) => (output += bytes.toString()));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output: output.trim() }));
  });
}
