import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { extractLayer, finishDirectories, type DirectoryAttributes } from "./extract-layer.ts";
import { tarOf, type TarEntry } from "./image.fixture.ts";

let home: string;
let root: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-extract-"));
  root = join(home, "root");
  mkdirSync(root);
  mkdirSync(join(home, "outside"));
  writeFileSync(join(home, "outside/secret"), "kept");
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

async function lay(...layers: readonly (readonly TarEntry[])[]): Promise<void> {
  const directories: DirectoryAttributes = new Map();
  const options = { what: "image x", keepOwners: false };
  for (const layer of layers) await extractLayer(root, Readable.from([await tarOf(layer)]), directories, options);
  finishDirectories(root, directories, options);
}

/** Follows no links, as Node's own walk would. */
const tree = (directory = root): readonly string[] =>
  readdirSync(directory, { withFileTypes: true })
    .flatMap((entry) => [entry.name, ...(entry.isDirectory() ? tree(join(directory, entry.name)).map((path) => join(entry.name, path)) : [])])
    .sort();
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const outside = (): readonly string[] => tree(home).filter((path) => !path.startsWith("root"));

test("files, directories and links come with their modes and times", async () => {
  await lay([
    { name: "./etc/", type: "directory", mode: 0o555 },
    { name: "./etc/passwd", content: "root" },
    { name: "bin/app", content: "binary", mode: 0o4755 },
    { name: "bin/link", type: "symlink", linkname: "../etc/passwd" },
    { name: "bin/same", type: "link", linkname: "./bin/app" },
  ]);
  expect(tree()).toEqual(["bin", "bin/app", "bin/link", "bin/same", "etc", "etc/passwd"]);
  expect(read("bin/link")).toBe("root");
  expect(statSync(join(root, "bin/app")).mode & 0o7777).toBe(0o4755);
  expect(statSync(join(root, "bin/same")).ino).toBe(statSync(join(root, "bin/app")).ino);
  expect(statSync(join(root, "etc")).mode & 0o777).toBe(0o755); // As who is not root needs it.
  expect(statSync(join(root, "etc")).mtimeMs).toBe(1_700_000_000_000);
});

test("later layers lie over earlier ones, and whiteouts take away what lies below, not beside", async () => {
  await lay(
    [
      { name: "a", content: "1" },
      { name: "d/old", content: "1" },
      { name: "d/deep/old", content: "1" },
      { name: "gone/x", content: "1" },
      { name: "dir-to-file/x", content: "1" },
      { name: "file-to-dir", content: "1" },
      { name: "usr/lib/x", content: "1" },
      { name: "lib", type: "symlink", linkname: "usr/lib" },
    ],
    [
      { name: "a", content: "2" },
      { name: "d/new", content: "2" },
      { name: "d/.wh..wh..opq" },
      { name: "d/later", content: "2" },
      { name: ".wh.gone" },
      { name: ".wh.never-was" },
      { name: "dir-to-file", content: "2" },
      { name: "file-to-dir/x", content: "2" },
      { name: "lib/y", content: "2" },
      { name: ".wh..wh.plnk" },
    ],
  );
  expect(tree()).toEqual(
    ["a", "d", "d/later", "d/new", "dir-to-file", "file-to-dir", "file-to-dir/x", "lib", "usr", "usr/lib", "usr/lib/x", "usr/lib/y"].sort(),
  );
  expect(read("a")).toBe("2");
});

test("devices and pipes are left out", async () => {
  await lay([
    { name: "dev/sda", type: "character-device" },
    { name: "pipe", type: "fifo" },
    { name: "file", content: "" },
  ]);
  expect(tree().filter((path) => path !== "dev")).toEqual(["file"]);
});

test.each<[name: string, entries: readonly TarEntry[], refusal: string]>([
  ["dots", [{ name: "../outside/x", content: "!" }], "leads out of the image"],
  ["dots within", [{ name: "a/../../outside/x", content: "!" }], "leads out of the image"],
  ["a hard link by dots", [{ name: "x", type: "link", linkname: "../outside/secret" }], "leads out of the image"],
  ["a hard link to nothing", [{ name: "x", type: "link", linkname: "none" }], "which is no file"],
  [
    "links in circles",
    [
      { name: "a", type: "symlink", linkname: "b" },
      { name: "b", type: "symlink", linkname: "a" },
      { name: "a/x", content: "!" },
    ],
    "lead in circles",
  ],
])("%s is refused", async (_name, entries, refusal) => {
  await expect(lay(entries)).rejects.toThrow(refusal);
  expect(outside()).toEqual(["outside", "outside/secret"]);
});

test("links that lead out lead nowhere when files are laid, linked, removed or given modes", async () => {
  const away = join(home, "outside");
  const link = { name: "out", type: "symlink", linkname: away } as const;
  await lay(
    [link, { name: "up", type: "symlink", linkname: "../../../../../../.." }, { name: "dir/sub", type: "directory", mode: 0o700 }],
    [
      { name: "out/x", content: "!" },
      { name: "up/tmp/x", content: "!" },
      { name: "out/.wh.secret" },
      { name: "out/.wh..wh..opq" },
      { name: "secret-link", type: "symlink", linkname: join(away, "secret") },
    ],
    // What was a directory becomes a link, and must not pass its mode on to where that leads.
    [{ name: ".wh.dir" }, { name: "dir", type: "symlink", linkname: away }],
    [{ name: "secret-link", content: "replaced" }],
  );
  expect(outside()).toEqual(["outside", "outside/secret"]);
  expect(readFileSync(join(away, "secret"), "utf8")).toBe("kept");
  expect(readlinkSync(join(root, "out"))).toBe(away);
  expect(read("secret-link")).toBe("replaced");
  expect(existsSync(join(root, away, "x"))).toBe(true);
});

test("whatever a layer holds, nothing outside of the image changes", async () => {
  const names = fc.constantFrom(
    "a",
    "b",
    "a/b",
    "a/b/c",
    "b/a",
    "..",
    "../a",
    "a/..",
    ".wh.a",
    "a/.wh.b",
    "a/.wh..wh..opq",
    ".wh...",
    "/a",
    "./b",
    "",
  );
  const targets = fc.constantFrom("a", "b", "../..", "/", "../outside", "../outside/secret", "/etc", ".", "a/b");
  const entries: fc.Arbitrary<TarEntry> = fc.record({
    name: names,
    type: fc.constantFrom("file", "directory", "symlink", "link"),
    linkname: targets,
    mode: fc.constantFrom(0o777, 0o000, 0o4755),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(entries, { maxLength: 8 }), { maxLength: 3 }), async (layers) => {
      rmSync(root, { recursive: true, force: true });
      mkdirSync(root);
      const before = lstatSync(join(home, "outside"));
      try {
        await lay(...layers);
      } catch (error) {
        expect((error as Error).name).toBe("ImageError");
      }
      const after = lstatSync(join(home, "outside"));
      expect(outside()).toEqual(["outside", "outside/secret"]);
      expect(readFileSync(join(home, "outside/secret"), "utf8")).toBe("kept");
      expect([after.mode, after.mtimeMs]).toEqual([before.mode, before.mtimeMs]);
    }),
    { numRuns: 300 },
  );
});
