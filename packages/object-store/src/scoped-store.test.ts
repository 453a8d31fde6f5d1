import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openDirectoryStore } from "./directory-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { scopedStore } from "./scoped-store.ts";

let home: string;
let store: ObjectStore;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "scoped-"));
  store = await openDirectoryStore({ directory: join(home, "objects") });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

test("the same address is another object for each owner", async () => {
  const [a, b] = [scopedStore(store, "team-a"), scopedStore(store, "team-b")];
  const uri = "minio://mlpipeline/v2/x";
  expect(await a.put(uri, Buffer.from("a"))).toMatchObject({ uri, size: 1 });
  expect(await b.stat(uri)).toBeUndefined();
  await b.put("s3://mlpipeline/v2/x", Buffer.from("b"));
  expect((await Array.fromAsync(a.list("minio://mlpipeline"))).map((each) => each.uri)).toEqual([uri]);
  expect((await Array.fromAsync(b.list("s3://mlpipeline/v2"))).map((each) => each.uri)).toEqual(["s3://mlpipeline/v2/x"]);
  expect(await Array.fromAsync(b.list("minio://mlpipeline"))).toEqual([]);
  await b.delete("minio://mlpipeline");
  expect((await buffer(a.get(uri))).toString()).toBe("a");
  await a.getFile(uri, join(home, "f"));
  expect(readFileSync(join(home, "f"), "utf8")).toBe("a");
});

test("no address leads to another owner, and messages name the address that was asked for", async () => {
  const b = scopedStore(store, "team-b");
  await scopedStore(store, "team-a").put("minio://mlpipeline/x", Buffer.from("a"));
  for (const uri of ["minio://team-a/minio/mlpipeline/x", "minio://mlpipeline/../../team-a/minio/mlpipeline/x", "minio://../x"]) {
    const found = await b.stat(uri).catch((error: Error) => error);
    expect(found === undefined || found instanceof Error).toBe(true);
  }
  await expect(b.getFile("minio://mlpipeline/x", join(home, "f"))).rejects.toThrow("there is no object minio://mlpipeline/x");
});
