import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { heldCommand } from "./debug-pause.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "debug-pause-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a command as a pod would, and lets it go on each time it says that it is held. */
async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly held: string[] }> {
  const variables = Object.entries(env).map(([name, value]) => ({ name, value }));
  // As Kubernetes expands it.
  const [program = "", ...args] = heldCommand(command, variables, { directory, namespace: "ns" }).map((word) => word.replaceAll("$$", "$"));
  const held: string[] = [];
  const child = spawn(program, args, { env: { PATH: process.env["PATH"], KFP_POD_NAME: "pod", ...env }, stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.on("data", (chunk: Buffer) => {
    for (const [, path = ""] of String(chunk).matchAll(/kubectl exec -n ns pod -c main -- touch (\S+)/gu)) {
      held.push(path);
      writeFileSync(path, "");
    }
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, held })));
}

test("a container is held where it is asked to be, and ends as its program did", async () => {
  const before = join(directory, "continue-before");
  const after = join(directory, "continue-after");
  const made = join(directory, "made");
  const both = { ARGO_DEBUG_PAUSE_BEFORE: "true", ARGO_DEBUG_PAUSE_AFTER: "true" };
  expect(await run(["sh", "-c", `touch "$0"; exit 3`, made], both)).toEqual({ code: 3, held: [before, after] });
  expect(existsSync(made)).toBe(true);
  rmSync(after);
  expect(await run(["true"], { ARGO_DEBUG_PAUSE_ON_ERROR: "true" })).toEqual({ code: 0, held: [] });
  expect(await run(["sh", "-c", "exit 4"], { ARGO_DEBUG_PAUSE_ON_ERROR: "true" })).toEqual({ code: 4, held: [after] });
});

test("any other container's command stays as it is", () => {
  expect(heldCommand(["a", "$(B)"], [{ name: "ARGO_DEBUG_PAUSE_AFTER", value: "false" }], { directory, namespace: "ns" })).toEqual(["a", "$(B)"]);
  expect(heldCommand([], [{ name: "ARGO_DEBUG_PAUSE_AFTER", value: "true" }], { directory, namespace: "ns" })).toEqual([]);
});
