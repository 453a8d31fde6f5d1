import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "@sluice/controller";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LogIndex } from "./log-index.ts";
import { logStart, trimLog } from "./log-start.ts";
import { logTail, readLog, type ReadLogOptions } from "./read-log.ts";

let home: string;
let count = 0;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-logs-"));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const fresh = (text: string): string => {
  const directory = mkdtempSync(join(home, `${count++}-`));
  writeFileSync(join(directory, "log"), text);
  return directory;
};

async function read(directory: string, options: Partial<ReadLogOptions> = {}): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of readLog(directory, { startedAt: 0, ...options })) parts.push(chunk);
  return Buffer.concat(parts).toString("utf8");
}

describe("a log", () => {
  test.each([
    [0, ""],
    [1, "c"],
    [2, "b\nc"],
    [9, "a\nb\nc"],
  ])("shows its last %i lines", async (tailLines, expected) => {
    expect(await read(fresh("a\nb\nc"), { tailLines })).toBe(expected);
    expect(await read(fresh("a\nb\nc\n"), { tailLines })).toBe(expected === "" ? "" : `${expected}\n`);
  });

  test("knows when its lines were written", async () => {
    const directory = fresh("");
    let now = 0;
    const clock: Clock = { now: () => now, sleep: async () => {} };
    const at = (ms: number, text: string): void => {
      now = ms;
      appendFileSync(join(directory, "log"), text);
      const index = new LogIndex(directory, clock);
      index.note();
      index.close();
    };
    at(1000, "one\ntw");
    at(5000, "o\nthree\n");
    expect(await read(directory, { timestamps: true })).toBe(
      "1970-01-01T00:00:01.000000000Z one\n1970-01-01T00:00:01.000000000Z two\n1970-01-01T00:00:05.000000000Z three\n",
    );
    expect(await read(directory, { since: 2000 })).toBe("three\n");
    expect(await read(directory, { since: 6000 })).toBe("");
    expect(await read(directory, { since: 500, tailLines: 1, timestamps: true, limitBytes: 33 })).toBe("1970-01-01T00:00:05.000000000Z th");
  });

  test("is followed to its end", async () => {
    const directory = fresh("one\n");
    const end = Promise.withResolvers<void>();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of readLog(directory, { startedAt: 0, followUntil: end.promise })) {
        seen.push(Buffer.from(chunk).toString("utf8"));
        if (seen.length === 1) appendFileSync(join(directory, "log"), "two\n");
        if (seen.length === 2) {
          appendFileSync(join(directory, "log"), "three\n");
          end.resolve();
        }
      }
    })();
    await reading;
    expect(seen.join("")).toBe("one\ntwo\nthree\n");
  });

  test("is not followed further than its reader wants", async () => {
    const stop = new AbortController();
    for await (const _ of readLog(fresh("one\n"), { startedAt: 0, followUntil: new Promise(() => {}), signal: stop.signal })) stop.abort();
    expect(await read(join(home, "nowhere"))).toBe("");
  });

  test("loses its oldest lines when it grows too long, without a reader that follows losing or doubling any", async () => {
    const directory = fresh("");
    const index = new LogIndex(directory, systemClock, { limit: { most: 40_000, least: 20_000 } });
    const end = Promise.withResolvers<void>();
    const lines = Array.from({ length: 20_000 }, (_, number) => `line ${number}\n`);
    let seen = "";
    const following = (async () => {
      for await (const chunk of readLog(directory, { startedAt: 0, followUntil: end.promise })) seen += Buffer.from(chunk).toString("utf8");
    })();
    for (let from = 0; from < lines.length; from += 500) {
      appendFileSync(join(directory, "log"), lines.slice(from, from + 500).join(""));
      index.note();
      await expect.poll(() => seen.endsWith(lines[from + 499] ?? "")).toBe(true);
    }
    await expect.poll(() => (index.note(), logStart(directory))).toBeGreaterThan(lines.join("").length - 40_001);
    end.resolve();
    await following;
    expect(seen).toBe(lines.join(""));
    const kept = await read(directory);
    expect(kept.length).toBeGreaterThan(10_000);
    expect(seen.endsWith(`\n${kept}`)).toBe(true);
    expect(await read(directory, { tailLines: 100_000 })).toBe(kept);
    expect(await read(directory, { tailLines: 2 })).toBe("line 19998\nline 19999\n");
    expect(await read(directory, { since: 1 })).toBe(kept);
    expect((await read(directory, { timestamps: true })).split("\n")).toHaveLength(kept.split("\n").length);
    index.close();
  });

  test("shows nothing of what is gone to a reader that comes too late for it", async () => {
    const directory = fresh("one\n".repeat(100_000));
    const reading = readLog(directory, { startedAt: 0 });
    let seen = Buffer.from((await reading.next()).value ?? []).toString("utf8");
    await trimLog(directory, { most: 1000, least: 400 });
    for await (const chunk of reading) seen += Buffer.from(chunk).toString("utf8");
    expect(seen).toMatch(/^(?:one\n)+$/u);
    expect(seen.length).toBeLessThan(100_000);
  });

  test("is cut exactly, however long it is", async () => {
    const text = fc.array(
      fc.string({ minLength: 0, maxLength: 40 }).map((line) => line.replaceAll("\n", "")),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.boolean(),
        fc.nat(40),
        fc.nat(200),
        fc.integer({ min: 1, max: 4000 }),
        async (lines, isEnded, tailLines, limitBytes, times) => {
          const all = lines.length === 0 ? "" : lines.join("\n") + (isEnded ? "\n" : "");
          const long = "x".repeat(times * 40);
          const whole = `${long}\n${all}`;
          const directory = fresh(whole);
          const rows = whole.endsWith("\n") ? whole.slice(0, -1).split("\n") : whole.split("\n");
          const expected = tailLines === 0 ? "" : rows.slice(-tailLines).join("\n") + (whole.endsWith("\n") ? "\n" : "");
          expect(await read(directory, { tailLines })).toBe(expected);
          expect(Buffer.from(await read(directory, { limitBytes })).length).toBeLessThanOrEqual(limitBytes + 3);
          const tail = await logTail(directory, { lines: tailLines, bytes: limitBytes });
          expect(expected.endsWith(tail) || tail.includes("\uFFFD")).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });
});
