import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isApiError, UserError } from "@sluice/kubernetes";
import fc from "fast-check";
import type { Transaction } from "kysely";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { Database, Migration, TypedDatabase } from "./database.ts";
import { openDatabase } from "./open-database.ts";
import { THINGS, type ThingsTables as Tables } from "./things.fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "sluice-database-test-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;
const newPath = (): string => join(directory, `${files++}`, "test.db");

async function openThings(path: string, options: { readonly maxBytes?: number } = {}): Promise<Database & TypedDatabase<Tables>> {
  const database = await openDatabase({ path, ...options });
  await database.migrate("test", [THINGS]);
  return { ...database, ...database.of<Tables>() };
}

const put = (transaction: Transaction<Tables>, id: string, value = 0) => transaction.insertInto("things").values({ id, value }).execute();
async function ids(database: TypedDatabase<Tables>): Promise<string[]> {
  return (await database.read.selectFrom("things").select("id").orderBy("id").execute()).map(({ id }) => id);
}

describe.each(["a file", "memory"])("a database in %s", (kind) => {
  const open = () => openThings(kind === "memory" ? ":memory:" : newPath());

  test("shows reads nothing before it is committed, and shares the commit of a turn", async () => {
    await using database = await open();
    const seen: string[][] = [];
    const first = database.transaction(async (transaction) => {
      await put(transaction, "a");
      seen.push(await ids(database));
    });
    const second = database.transaction(async (transaction) => {
      expect(await transaction.selectFrom("things").select("id").execute()).toEqual([{ id: "a" }]);
      await put(transaction, "b");
      seen.push(await ids(database));
    });
    await first;
    expect(await ids(database)).toEqual(["a", "b"]);
    await second;
    expect(seen).toEqual([[], []]);
  });

  test("undoes a transaction that fails, and no other", async () => {
    await using database = await open();
    const results = await Promise.allSettled([
      database.transaction((transaction) => put(transaction, "a")),
      database.transaction(async (transaction) => {
        await put(transaction, "b");
        throw new Error("no");
      }),
      database.transaction(async (transaction) => {
        await put(transaction, "c");
        await put(transaction, "a");
      }),
      database.transaction((transaction) => put(transaction, "d")),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(results[2]).toMatchObject({ reason: { message: expect.stringContaining("UNIQUE") } });
    expect(await ids(database)).toEqual(["a", "d"]);
  });

  test("refuses queries that a transaction did not wait for, and writes outside of transactions", async () => {
    await using database = await open();
    const late = Promise.withResolvers<unknown>();
    await database.transaction(async (transaction) => {
      await put(transaction, "a");
      setImmediate(() => late.resolve(put(transaction, "b").catch((error: Error) => error)));
    });
    expect(await late.promise).toBeInstanceOf(Error);
    await expect(database.read.insertInto("things").values({ id: "c", value: 1 }).execute()).rejects.toThrow(/read-only/u);
    await expect(database.read.transaction().execute((transaction) => put(transaction, "d"))).rejects.toThrow(/for reading/u);
    expect(await ids(database)).toEqual(["a"]);
  });

  test("stores what was asked for before it closes, and refuses the rest", async () => {
    const database = await open();
    const before = database.transaction((transaction) => put(transaction, "a"));
    const closing = database[Symbol.asyncDispose]();
    await expect(database.transaction((transaction) => put(transaction, "b"))).rejects.toMatchObject({ reason: "ServiceUnavailable" });
    await before;
    await closing;
    await expect(ids(database)).rejects.toMatchObject({ reason: "ServiceUnavailable" });
  });

  test("equals a model of it, whatever the order", async () => {
    const step = fc.record({
      writes: fc.array(fc.record({ id: fc.constantFrom("a", "b", "c"), value: fc.option(fc.nat(9), { nil: undefined }) }), { maxLength: 4 }),
      turns: fc.nat(2),
      fails: fc.boolean(),
      waits: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        await using database = await open();
        // All that a commit may have shown: the model after every transaction, from the last one known to be stored on.
        const states: string[] = ["{}"];
        let stored = 0;
        const model = new Map<string, number>();
        const pending: Promise<unknown>[] = [];
        const look = async (): Promise<void> => {
          const least = stored;
          const rows = await database.read.selectFrom("things").selectAll().orderBy("id").execute();
          expect(states.slice(least)).toContain(JSON.stringify(Object.fromEntries(rows.map(({ id, value }) => [id, value]))));
        };
        for (const { writes, turns, fails, waits } of steps) {
          if (!fails) {
            for (const { id, value } of writes) {
              if (value === undefined) model.delete(id);
              else model.set(id, value);
            }
            states.push(JSON.stringify(Object.fromEntries([...model].sort(([a], [b]) => (a < b ? -1 : 1)))));
          }
          const index = states.length - 1;
          const work = database.transaction(async (transaction) => {
            for (const { id, value } of writes) {
              if (value === undefined) await transaction.deleteFrom("things").where("id", "=", id).execute();
              else
                await transaction
                  .insertInto("things")
                  .values({ id, value })
                  .onConflict((on) => on.column("id").doUpdateSet({ value }))
                  .execute();
              for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
              await look();
            }
            if (fails) throw new Error("no");
          });
          const settled = work.then(
            () => (stored = Math.max(stored, index)),
            (error: Error) => expect(error.message).toBe("no"),
          );
          pending.push(settled);
          if (waits) await settled;
          await look();
        }
        await Promise.all(pending);
        await look();
      }),
      { numRuns: 40 },
    );
  });
});

describe("migrations", () => {
  const step = (name: string, sql: (database: Parameters<Migration["up"]>[0]) => Promise<unknown>): Migration => ({
    name,
    up: async (database) => void (await sql(database)),
  });

  test("run once, each whole or not at all", async () => {
    const path = newPath();
    const bad = step("002-bad", async ({ schema }) => {
      await schema.createTable("more").addColumn("id", "text").execute();
      throw new Error("no");
    });
    {
      await using database = await openDatabase({ path });
      await expect(database.migrate("test", [THINGS, bad])).rejects.toThrow("no");
      await database.of<Tables>().transaction((transaction) => put(transaction, "a"));
    }
    const good = step("002-bad", ({ schema }) => schema.createTable("more").addColumn("id", "text").execute());
    await using database = await openDatabase({ path });
    await database.migrate("test", [THINGS, good]);
    await database.migrate("test", [THINGS, good]);
    expect(await ids(database.of())).toEqual(["a"]);
  });

  test("of a newer program are not touched", async () => {
    await using database = await openThings(newPath());
    const refused = database.migrate("test", []);
    await expect(refused).rejects.toBeInstanceOf(UserError);
    await expect(refused).rejects.toThrow(/newer version of this program: it has step 001-things of test/u);
    await database.migrate("other", []);
    await expect(database.migrate("test", [step("000-early", async () => undefined), THINGS])).rejects.toThrow(/000-early of test comes before/u);
    await expect(database.migrate("test", [THINGS, step("000-early", async () => undefined)])).rejects.toThrow(/out of order/u);
  });
});

describe("a file that cannot be used", () => {
  test.each([
    ["is not a database", (path: string) => writeFileSync(path, "x".repeat(8192)), /it is not a database/u],
    ["is damaged", damage, /it is damaged/u],
    ["is a directory", (path: string) => mkdirSync(path), /it cannot be opened/u],
  ])("because it %s", async (_what, spoil, message) => {
    const path = join(mkdtempSync(join(directory, "bad-")), "test.db");
    spoil(path);
    const error = await openDatabase({ path }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ message: expect.stringMatching(message), fix: expect.any(String) });
  });

  test("because there is no directory for it", async () => {
    const path = newPath();
    await (await openDatabase({ path }))[Symbol.asyncDispose]();
    await expect(openDatabase({ path: join(path, "below", "test.db") })).rejects.toBeInstanceOf(UserError);
  });

  test("because the disk is full: nothing of the change is stored, and all goes on once there is room", async () => {
    const path = newPath();
    const database = await openThings(path, { maxBytes: 100_000 });
    const big = async (transaction: Transaction<Tables>): Promise<void> => {
      await put(transaction, "small");
      await put(transaction, "x".repeat(200_000));
    };
    const swallow = async (transaction: Transaction<Tables>): Promise<void> => {
      await big(transaction).catch(() => undefined);
      await put(transaction, "after").catch(() => undefined);
    };
    for (const work of [big, swallow]) {
      const results = await Promise.allSettled([database.transaction((transaction) => put(transaction, "first")), database.transaction(work)]);
      for (const result of results) if (result.status === "rejected") expect(isApiError(result.reason)).toBe(true);
      const stored = await ids(database);
      expect(stored).not.toContain("after");
      expect(stored.includes("first")).toBe(results[0]?.status === "fulfilled");
      await database.transaction((transaction) => transaction.deleteFrom("things").execute());
    }
    await expect(database.transaction(big)).rejects.toMatchObject({ code: 507, message: expect.stringContaining("the disk is full") });
    await database.transaction((transaction) => put(transaction, "room"));
    expect(await ids(database)).toEqual(["room"]);
    await database[Symbol.asyncDispose]();
  });
});

/** A database with its first page whole and all others not. */
function damage(path: string): void {
  const database = new DatabaseSync(path);
  const tables = Array.from({ length: 100 }, (_, index) => `CREATE TABLE table_with_a_long_name_${index} (some_column_with_a_long_name);`);
  database.exec(`PRAGMA page_size = 512; BEGIN; ${tables.join("")} COMMIT`);
  database.close();
  const whole = readFileSync(path);
  writeFileSync(path, Buffer.concat([whole.subarray(0, 512), Buffer.alloc(whole.length - 512, 0xff)]));
}

test("leaves nothing of a database in memory behind", async () => {
  const temporary = join(directory, "tmp");
  mkdirSync(temporary);
  vi.stubEnv("TMPDIR", temporary);
  const database = await openThings(":memory:");
  await database[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  expect(readdirSync(temporary)).toEqual([]);
});

test("all that was acknowledged survives kill -9, and no transaction in part", async () => {
  const path = newPath();
  const fixture = fileURLToPath(new URL("./crash.fixture.ts", import.meta.url));
  const acknowledged = new Set<string>();
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [fixture, path, `${round}`], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(child.stdout, "data");
    await sleep(Math.random() * 100);
    child.kill("SIGKILL");
    await once(child, "close");
    for (const id of output.split("\n").slice(0, -1)) acknowledged.add(id);
    await using database = await openThings(path);
    const rows = await database.read.selectFrom("things").selectAll().execute();
    const stored = new Map(rows.map(({ id, value }) => [id, value]));
    for (const id of acknowledged) expect(stored.has(`${id}-first`) && stored.has(`${id}-second`)).toBe(true);
    for (const id of stored.keys()) expect(stored.has(id.replace(/-first$/u, "-second"))).toBe(true);
  }
  expect(acknowledged.size).toBeGreaterThan(6);
});
