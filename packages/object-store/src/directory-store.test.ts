import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openDirectoryStore } from "./directory-store.ts";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-objects-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(root, "store-"));
});

const open = (options: { readonly maxIndexBytes?: number } = {}): Promise<ObjectStore> => openDirectoryStore({ directory, ...options });
const sha256 = (bytes: string | Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const text = async (store: ObjectStore, uri: string, range?: Parameters<ObjectStore["get"]>[1]): Promise<string> =>
  (await buffer(store.get(uri, range))).toString();
const put = (store: ObjectStore, uri: string, bytes: string): Promise<ObjectInfo> => store.put(uri, Buffer.from(bytes));
const blobs = (): string[] => readdirSync(join(directory, "blobs"));
async function uris(store: ObjectStore, uri: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(uri))).map((info) => info.uri);
}
/** Large enough to be a file. */
const LARGE = "0123456789".repeat(20_000);
/** Large enough to be hashed in a thread. */
const HUGE = 17 * 2 ** 20;
function file(name: string, bytes: string | Uint8Array): string {
  const path = join(directory, "..", "files", name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

describe.each([
  ["few", "hello"],
  ["many", LARGE],
])("an object of %s bytes", (_size, bytes) => {
  test("is what was put, by file and by stream, also after the store was opened anew", async () => {
    const source = file("source", bytes);
    {
      await using store = await open();
      expect(await store.stat("minio://b/k")).toBeUndefined();
      expect(await store.putFile("minio://b/k", source)).toEqual({ uri: "minio://b/k", size: bytes.length, digest: sha256(bytes) });
      expect(await store.put("minio://b/s", pieces(bytes))).toMatchObject({ size: bytes.length, digest: sha256(bytes) });
    }
    appendFileSync(source, "more");
    await using store = await open();
    expect(await store.stat("minio://b/k/")).toEqual({ uri: "minio://b/k", size: bytes.length, digest: sha256(bytes) });
    expect(await text(store, "minio://b/k")).toBe(bytes);
    expect(await text(store, "minio://b/s")).toBe(bytes);
    expect(blobs()).toHaveLength(bytes === LARGE ? 1 : 0);
  });

  test("is copied to files of which each is its owner's", async () => {
    await using store = await open();
    await put(store, "s3://b/k", bytes);
    const [path, other] = [join(directory, "out/deep/file"), join(directory, "out/other")];
    const precious = file("precious", "precious");
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(precious, path);
    expect(await store.getFile("s3://b/k", path)).toMatchObject({ digest: sha256(bytes) });
    appendFileSync(path, "more");
    await store.getFile("s3://b/k", other);
    expect(readFileSync(other, "utf8")).toBe(bytes);
    expect(readFileSync(precious, "utf8")).toBe("precious");
    expect(statSync(other).mode & 0o777).toBe(0o644);
    expect(await text(store, "s3://b/k")).toBe(bytes);
  });

  test("is read in part", async () => {
    await using store = await open();
    await put(store, "s3://b/k", bytes);
    const ranges = fc.record({ start: fc.nat(bytes.length + 5), end: fc.nat(bytes.length + 5) }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(ranges, async (range) => {
        expect(await text(store, "s3://b/k", range)).toBe(bytes.slice(range.start, range.end));
      }),
      { numRuns: 50 },
    );
    await expect(text(store, "s3://b/k", { start: -1 })).rejects.toMatchObject({ reason: "BadRequest" });
  });

  test("that is replaced or deleted while it is read, is read to its end; then its bytes go", async () => {
    await using store = await open();
    await put(store, "s3://b/k", bytes);
    const reading = store.get("s3://b/k")[Symbol.asyncIterator]();
    const first = await reading.next();
    await put(store, "s3://b/k", "other");
    await store.delete("s3://b/k");
    let read = Buffer.from(first.value ?? []).toString();
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) read += Buffer.from(next.value).toString();
    expect(read).toBe(bytes);
    await expect(text(store, "s3://b/k")).rejects.toMatchObject({ reason: "NotFound", message: "there is no object s3://b/k" });
    expect(blobs()).toEqual([]);
  });
});

test("equal bytes are kept until the last object goes that has them", async () => {
  await using store = await open();
  await Promise.all([put(store, "s3://b/1", LARGE), put(store, "gs://b/1", LARGE), put(store, "s3://b/2", LARGE)]);
  expect(blobs()).toHaveLength(1);
  await Promise.all([store.delete("s3://b/1"), store.delete("s3://b/2"), put(store, "s3://b/3", LARGE), store.delete("gs://b/1")]);
  expect(await text(store, "s3://b/3")).toBe(LARGE);
  await put(store, "s3://b/3", "less");
  expect(blobs()).toEqual([]);
});

test("a key may be both an object and a directory; what is below comes in order, and goes with it", async () => {
  await using store = await open();
  const keys = ["a", "a/b", "a/b/c", "a/b.c", "a0", "a-", "a/ü", "a/%", "b"];
  for (const key of keys) await put(store, `minio://b/${key}`, key);
  await put(store, "minio://c/a/x", "x");
  expect(await uris(store, "minio://b/a")).toEqual(["a/%", "a/b", "a/b.c", "a/b/c", "a/ü"].map((key) => `minio://b/${key}`));
  expect(await uris(store, "minio://b/")).toHaveLength(keys.length);
  expect(await uris(store, "minio://none")).toEqual([]);
  await store.delete("minio://b/a");
  await store.delete("minio://b/a");
  expect(await uris(store, "minio://b")).toEqual(["minio://b/a-", "minio://b/a0", "minio://b/b"]);
  await store.delete("minio://b");
  expect(await uris(store, "minio://b")).toEqual([]);
  expect(await uris(store, "minio://c")).toEqual(["minio://c/a/x"]);
});

test("thousands of small objects are stored, listed and deleted at once", async () => {
  await using store = await open();
  const count = 2500;
  await Promise.all(Array.from({ length: count }, (_, index) => put(store, `s3://b/d/${index}`, `${index}`)));
  const listed = await uris(store, "s3://b/d");
  expect(listed).toHaveLength(count);
  expect(listed).toEqual(listed.toSorted());
  await store.delete("s3://b/d");
  expect(await uris(store, "s3://b")).toEqual([]);
});

test("huge files are hashed off the event loop", async () => {
  await using store = await open();
  const bytes = Buffer.alloc(HUGE, "sluice");
  expect(await store.putFile("s3://b/k", file("huge", bytes))).toMatchObject({ size: HUGE, digest: sha256(bytes) });
});

test("equals a model of it", async () => {
  const keys = fc.constantFrom("a", "a/b", "a/b/c", "ab", "a.b");
  const step = fc.record({ key: keys, what: fc.constantFrom("put", "large", "delete"), waits: fc.boolean(), value: fc.nat(3) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      directory = mkdtempSync(join(root, "model-"));
      const model = new Map<string, string>();
      {
        await using store = await open();
        const pending: Promise<unknown>[] = [];
        for (const { key, what, waits, value } of steps) {
          const uri = `s3://b/${key}`;
          // Two puts of one address may overtake each other while they take their bytes in.
          await Promise.all(pending.splice(0));
          if (what === "delete") {
            for (const other of [...model.keys()]) if (other === uri || other.startsWith(`${uri}/`)) model.delete(other);
            pending.push(store.delete(uri));
          } else {
            const bytes = what === "large" ? `${value}${LARGE}` : `${value}`;
            model.set(uri, bytes);
            pending.push(put(store, uri, bytes));
          }
          if (waits) await Promise.all(pending);
        }
        await Promise.all(pending);
        expect(await uris(store, "s3://b")).toEqual([...model.keys()].sort());
      }
      await using store = await open();
      for (const [uri, bytes] of model) expect(await text(store, uri)).toBe(bytes);
      const large = new Set([...model.values()].filter((bytes) => bytes.length > 10));
      expect(blobs()).toHaveLength(large.size);
    }),
    { numRuns: 30 },
  );
});

describe("says why it cannot", () => {
  test("store what is no file", async () => {
    await using store = await open();
    await expect(store.putFile("s3://b/k", root)).rejects.toMatchObject({ reason: "BadRequest", message: expect.stringContaining("is not a file") });
    await expect(store.putFile("s3://b/k", join(root, "none"))).rejects.toMatchObject({
      reason: "NotFound",
      message: expect.stringContaining("ENOENT"),
    });
    await expect(store.putFile("s3://b/..", root)).rejects.toMatchObject({ reason: "BadRequest" });
  });

  test("write where it may not", async () => {
    await using store = await open();
    await put(store, "s3://b/k", "x");
    await expect(store.getFile("s3://b/none", join(directory, "x"))).rejects.toMatchObject({ reason: "NotFound" });
    await expect(store.getFile("s3://b/k", directory)).rejects.toMatchObject({
      message: expect.stringContaining(`cannot bring s3://b/k to ${directory}`),
    });
  });

  test("go on when the source ends with an error; nothing of it stays", async () => {
    await using store = await open();
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from(LARGE);
      throw new Error("connection lost");
    };
    await expect(store.put("s3://b/k", broken())).rejects.toThrow("connection lost");
    expect(await store.stat("s3://b/k")).toBeUndefined();
    expect(readdirSync(join(directory, "incoming"))).toEqual([]);
  });

  test("store on a full disk; what was there stays, and deleting makes room", async () => {
    await using store = await open({ maxIndexBytes: 200_000 });
    await put(store, "s3://b/before", "x".repeat(50_000));
    const results = await Promise.allSettled(["1", "2", "3"].map((name) => put(store, `s3://b/${name}`, name.repeat(60_000))));
    expect(results).toMatchObject(
      [0, 1, 2].map(() => ({ status: "rejected", reason: { code: 507, message: expect.stringContaining("the disk is full") } })),
    );
    expect(await text(store, "s3://b/before")).toBe("x".repeat(50_000));
    await store.delete("s3://b");
    await put(store, "s3://b/after", "z".repeat(60_000));
  });

  test("read bytes that somebody removed", async () => {
    await using store = await open();
    await put(store, "s3://b/k", LARGE);
    for (const name of blobs()) rmSync(join(directory, "blobs", name));
    await expect(text(store, "s3://b/k")).rejects.toMatchObject({ reason: "InternalError", message: expect.stringContaining("are missing") });
    await put(store, "s3://b/k", LARGE);
    expect(await text(store, "s3://b/k")).toBe(LARGE);
  });

  test("change anything once it is closed", async () => {
    const store = await open();
    const before = put(store, "s3://b/k", LARGE);
    await before;
    await store[Symbol.asyncDispose]();
    await expect(put(store, "s3://b/k", "x")).rejects.toMatchObject({ reason: "ServiceUnavailable" });
  });
});

test("what a process left behind is swept", async () => {
  await (await open())[Symbol.asyncDispose]();
  writeFileSync(join(directory, "blobs", "0".repeat(64)), "left");
  writeFileSync(join(directory, "incoming", "7"), "left");
  await (await open())[Symbol.asyncDispose]();
  expect([...blobs(), ...readdirSync(join(directory, "incoming"))]).toEqual([]);
});

test("all that was acknowledged survives kill -9, and nothing in part", { timeout: 60_000 }, async () => {
  const fixture = fileURLToPath(new URL("./crash.fixture.ts", import.meta.url));
  const acknowledged = new Map<string, string>();
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [fixture, directory, `${round}`], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
    await once(child.stdout, "data");
    await sleep(Math.random() * 120);
    child.kill("SIGKILL");
    await once(child, "close");
    for (const line of output.split("\n").slice(0, -1)) {
      const [uri = "", digest = ""] = line.split(" ");
      acknowledged.set(uri, digest);
    }
    await (await open())[Symbol.asyncDispose]();
    await using store = await open();
    for (const [uri, digest] of acknowledged) {
      const info = await store.stat(uri);
      // Of one whose deletion was asked for, either is right.
      if (digest === "deleted") expect(info).toBeUndefined();
      else if (digest !== "") expect(info?.digest).toBe(digest);
    }
    const digests = new Set<string>();
    for await (const { uri, digest, size } of store.list("minio://b")) {
      const bytes = await buffer(store.get(uri));
      expect([bytes.length, sha256(bytes)]).toEqual([size, digest]);
      if (size > 64 * 1024) digests.add(digest);
    }
    expect(
      blobs()
        .map((name) => `sha256:${name}`)
        .sort(),
    ).toEqual([...digests].sort());
    expect(readdirSync(join(directory, "incoming"))).toEqual([]);
  }
  expect(acknowledged.size).toBeGreaterThan(8);
});

async function* pieces(bytes: string): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 30_000) yield Buffer.from(bytes.slice(start, start + 30_000));
}
