import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

let dataDir: string;
beforeAll(async () => void (dataDir = await mkdtemp(join(tmpdir(), "sluice-demo-"))));
afterAll(() => rm(dataDir, { recursive: true }));

async function demo(...parameters: readonly string[]): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const words = parameters.flatMap((parameter) => ["-p", parameter]);
  const env = { ...process.env, SLUICE_DATA_DIR: dataDir, SLUICE_PORT: "0", SLUICE_API_PORT: "0" };
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", fileURLToPath(new URL("./main.ts", import.meta.url)), ...words], {
    env,
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

test("the demo runs, knows all of it the second time, and says what is wrong with bad data", async () => {
  const small = ["samples=1200", "epochs=1", "threshold=0.5"];
  const first = await demo(...small);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toContain("% of the test digits are read right");
  expect(first.stdout).toContain("12 steps in");
  const page = await readFile(join(dataDir, "report.html"), "utf8");
  expect(page).toMatch(/^<!doctype html>/u);

  const second = await demo(...small);
  expect(second.stdout).toContain("12 of 12 steps cached");

  const refused = await demo(...small.slice(0, 2), "threshold=1");
  expect(refused).toMatchObject({ code: 0, stdout: expect.stringContaining("No model is published: the best candidate,") as string });

  const failed = await demo("samples=500");
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain(
    "error: check-digits failed\n  │ Error: the digits are not fit to learn from:\n  │   - there are only 500 digits, and at least 1000 are needed",
  );
}, 240_000);
