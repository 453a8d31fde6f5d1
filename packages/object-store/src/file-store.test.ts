import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fileStore } from "./file-store.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "files-"));
  mkdirSync(join(home, "open"));
  mkdirSync(join(home, "shown"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));
const store = () => fileStore([{ path: join(home, "open") }, { path: join(home, "shown"), isReadOnly: true }]);
const uri = (path: string): string => `file://${join(home, path)}`;

test("files are objects", async () => {
  expect(await store().put(uri("open/d/a"), Buffer.from("hello"))).toMatchObject({ uri: uri("open/d/a"), size: 5 });
  writeFileSync(join(home, "open/d/b"), "b");
  expect((await Array.fromAsync(store().list(uri("open/d")))).map((each) => [each.uri, each.size])).toEqual([
    [uri("open/d/a"), 5],
    [uri("open/d/b"), 1],
  ]);
  expect(await store().stat(uri("open/d"))).toBeUndefined();
  expect((await buffer(store().get(uri("open/d/a"), { start: 1, end: 3 }))).toString()).toBe("el");
  await store().getFile(join(home, "open/d/a"), join(home, "copy"));
  expect(readFileSync(join(home, "copy"), "utf8")).toBe("hello");
  await store().delete(uri("open/d"));
  expect(await Array.fromAsync(store().list(uri("open")))).toEqual([]);
});

test("no path leads elsewhere", async () => {
  writeFileSync(join(home, "secret"), "secret");
  symlinkSync(join(home, "secret"), join(home, "open/link"));
  symlinkSync(home, join(home, "open/up"));
  for (const path of ["secret", "open/link", "open/up/secret", "opening/x"]) {
    await expect(store().stat(uri(path)), path).rejects.toMatchObject({ reason: "Forbidden" });
    await expect(store().getFile(uri(path), join(home, "copy")), path).rejects.toMatchObject({ reason: "Forbidden" });
    await expect(store().put(uri(path), Buffer.from("x")), path).rejects.toMatchObject({ reason: "Forbidden" });
  }
  await expect(store().stat(`${uri("open")}/../secret`)).rejects.toMatchObject({ reason: "BadRequest" });
  expect(readFileSync(join(home, "secret"), "utf8")).toBe("secret");
});

test("what is open for reading only is not written", async () => {
  writeFileSync(join(home, "shown/a"), "a");
  expect(await store().stat(uri("shown/a"))).toMatchObject({ size: 1 });
  await expect(store().put(uri("shown/b"), Buffer.from("x"))).rejects.toThrow("open for reading only");
  await expect(store().delete(uri("shown/a"))).rejects.toThrow("open for reading only");
});
