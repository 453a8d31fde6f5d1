import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Log } from "./log.ts";
import { recordSystemCalls, systemCalls } from "./system-calls.fixture.ts";
import { VolatileDisk, type Survives } from "./volatile-disk.fixture.ts";

const ROUNDS = [70, 12] as const;
const fixture = fileURLToPath(new URL("./power-cut.fixture.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "sluice-power-cut-"));
const home = join(directory, "home");
const path = join(home, "store.db");
const files = [home, ...["", "-wal", "-journal", "-shm"].map((suffix) => path + suffix)];
const output = join(directory, "acknowledged");
const traces = ROUNDS.map((_, index) => join(directory, `trace-${index}`));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** One write, as the program that made it was told of it. */
interface Acknowledged {
  readonly round: number;
  readonly revision: number;
  readonly key: string;
  /** Of the object's JSON; `-` of a deletion. */
  readonly digest: string;
}

beforeAll(async () => {
  mkdirSync(home);
  writeFileSync(output, "");
  // The second program finds what the first has left.
  for (const [index, trace] of traces.entries()) {
    const first = ROUNDS.slice(0, index).reduce((sum, rounds) => sum + rounds, 0);
    await recordSystemCalls([fixture, path, String(first), String(ROUNDS[index])], { files, output, trace });
  }
});

test("a power cut at any time loses nothing acknowledged, and leaves nothing half", { timeout: 240_000 }, async () => {
  const history: Acknowledged[] = [];
  for (const trace of traces) for await (const { name, args } of systemCalls(trace)) if (name === "write") history.push(...parse(args[1]));
  const ends = new Set([1, ...history.filter(({ round }, index) => history[index + 1]?.round !== round).map(({ revision }) => revision)]);

  const disk = new VolatileDisk();
  const random = randomBits(1);
  let acknowledged = 1;
  let cuts = 0;
  let restarts = 0;
  const check = (survives: Survives): void => {
    cuts++;
    const { revision, digests } = reopen(disk.cut(survives));
    expect(revision, "an acknowledged write is lost").toBeGreaterThanOrEqual(acknowledged);
    expect(ends, "half of what was written together is there").toContain(revision);
    expect(digests).toEqual(stateAt(history, revision));
  };
  const cut = (): void => {
    check(() => false);
    check(() => true);
    check(() => random() < 0.5);
    check(() => random() < 0.9);
  };
  for (const trace of traces) {
    for await (const { name, args } of systemCalls(trace)) {
      const [target = ""] = args;
      switch (name) {
        case "write":
          acknowledged = Math.max(acknowledged, ...parse(args[1]).map(({ revision }) => revision));
          break;
        case "openat":
          if (String(args[2]).includes("O_CREAT")) disk.create(basename(String(args[1])));
          break;
        case "pwrite64":
          if (Number(args[3]) === 0 && String(target).endsWith("-wal")) restarts++;
          disk.change(basename(String(target)), { at: Number(args[3]), bytes: args[1] as Buffer });
          break;
        case "ftruncate":
          disk.change(basename(String(target)), { size: Number(args[1]) });
          break;
        case "unlink":
          disk.remove(basename(String(target)));
          break;
        case "fsync":
        case "fdatasync":
          cut();
          if (target === home) disk.syncNames();
          else disk.sync(basename(String(target)));
          check(() => false);
          break;
        default:
          throw new Error(`the disk knows no ${name}`);
      }
    }
    cut();
  }
  expect(restarts, "the log has begun anew while it was open").toBeGreaterThan(ROUNDS.length);
  expect(cuts).toBeGreaterThan(300);
});

function parse(text: string | Buffer | undefined): Acknowledged[] {
  return String(text)
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [round = "", revision = "", key = "", digest = ""] = line.split(" ");
      return { round: Number(round), revision: Number(revision), key, digest };
    });
}

/** The digests of what is there after the writes up to a revision. */
function stateAt(history: readonly Acknowledged[], revision: number): Record<string, string> {
  const state = new Map<string, string>();
  for (const { key, digest, ...write } of history) {
    if (write.revision > revision) break;
    if (digest === "-") state.delete(key);
    else state.set(key, digest);
  }
  return Object.fromEntries(state);
}

function reopen(found: ReadonlyMap<string, Buffer>): { readonly revision: number; readonly digests: Record<string, string> } {
  const place = mkdtempSync(join(directory, "found-"));
  for (const [name, bytes] of found) writeFileSync(join(place, name), bytes);
  const log = new Log(join(place, "store.db"));
  const digests = Object.fromEntries([...log.rows()].map(({ key, json }) => [key, createHash("sha256").update(json).digest("hex")]));
  const { revision } = log;
  log.close();
  rmSync(place, { recursive: true });
  return { revision, digests };
}

/** Chance that is the same each time (a linear congruential generator). */
function randomBits(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}
