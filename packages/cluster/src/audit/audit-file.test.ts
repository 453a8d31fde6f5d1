import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditFile } from "./audit-file.ts";

let directory: string;
let now = Date.parse("2026-01-02T03:04:05.006Z");
const clock: Clock = { now: () => (now += 1000), sleep: async () => {} };
const errors: unknown[] = [];
const logger = { info: () => {}, warn: () => {}, error: (message: string) => errors.push(message) };

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-audit-"));
});
afterEach(() => rm(directory, { recursive: true }));

const write = async (events: readonly object[], path: string, options = {}): Promise<void> => {
  await using file = new AuditFile({ path, maxBytes: 1_000_000, maxBackups: 2, clock, logger, ...options });
  for (const event of events) file.write({ ...event });
};

test("events are lines of a file that is continued, and whose owner alone may read it", async () => {
  const path = join(directory, "logs", "audit.log");
  await write([{ a: 1 }, { b: 2 }], path);
  await write([{ c: 3 }], path);
  expect(await readFile(path, "utf8")).toBe('{"a":1}\n{"b":2}\n{"c":3}\n');
});

test("a file that is full is set aside, and the oldest of those goes", async () => {
  const path = join(directory, "audit.log");
  for (let n = 1; n <= 5; n++) await write([{ n, text: "x".repeat(80) }], path, { maxBytes: 100 });
  const names = (await readdir(directory)).toSorted();
  expect(names).toEqual([expect.stringMatching(/^audit-2026-01-02T03-04-\d\d\.006\.log$/u), expect.stringMatching(/^audit-/u), "audit.log"]);
  const numbers = await Promise.all(names.map(async (name) => (JSON.parse(await readFile(join(directory, name), "utf8")) as { n: number }).n));
  expect(numbers).toEqual([3, 4, 5]);
});

test("what cannot be written is told, and the next is tried again", async () => {
  await writeFile(join(directory, "file"), "");
  await write([{ a: 1 }], join(directory, "file", "audit.log"));
  expect(errors).toEqual(["audit events could not be written and are lost"]);
});
