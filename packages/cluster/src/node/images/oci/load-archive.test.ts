import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildImage, buildIndex, dockerArchiveOf, layoutOf, PLATFORM, tarOf, type BuiltImage, type TarEntry } from "./image.fixture.ts";
import { ImageStore } from "./image-store.ts";
import { loadArchive } from "./load-archive.ts";

let home: string;
let store: ImageStore;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-load-"));
  store = new ImageStore(join(home, "images"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const app = (text = "hello", compression: "none" | "gzip" | "zstd" = "gzip"): Promise<BuiltImage> =>
  buildImage({ layers: [[{ name: "app", content: text }], [{ name: "more", content: "more" }]], compression });

async function archive(entries: readonly TarEntry[], pack = (tar: Buffer): Buffer => tar): Promise<string> {
  const path = join(home, "image.tar");
  writeFileSync(path, pack(await tarOf(entries)));
  return path;
}
const load = async (path: string, name?: string): Promise<readonly string[]> =>
  (await loadArchive(store, path, { name, platform: PLATFORM })).map((image) => image.name);
const content = (name: string): string => readFileSync(join(store.rootOf(store.find(name)?.manifest ?? ""), "app"), "utf8");
const files = (): readonly string[] =>
  readdirSync(join(home, "images"), { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));

test.each<[name: string, pack: (tar: Buffer) => Buffer]>([
  ["plain", (tar) => tar],
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
])("an archive of a layout is loaded, %s", async (name, pack) => {
  const compression = name === "plain" ? "none" : name === "gzip" ? "gzip" : "zstd";
  expect(await load(await archive(layoutOf(await app("hello", compression), "team/app:1"), pack))).toEqual(["docker.io/team/app:1"]);
  expect(content("team/app:1")).toBe("hello");
  expect(readdirSync(join(home, "images/parts"))).toEqual([]);
});

test("a layout that is a directory is loaded", async () => {
  const directory = join(home, "layout");
  for (const { name, content: bytes = "" } of layoutOf(await app())) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
  expect(await load(directory, "localhost/app")).toEqual(["localhost/app:latest"]);
  expect(content("localhost/app")).toBe("hello");
});

test("an archive of docker save is loaded by all its names", async () => {
  expect(await load(await archive(dockerArchiveOf(await app("docker", "none"), ["app:1", "ghcr.io/team/app:2"])))).toEqual([
    "docker.io/library/app:1",
    "ghcr.io/team/app:2",
  ]);
  expect(content("app:1")).toBe("docker");
  expect(store.find("app:1")?.digest).toBe(store.find("ghcr.io/team/app:2")?.digest);
});

test("of several platforms this machine's is taken, and all of several images", async () => {
  const other = await buildImage({ layers: [], platform: { os: "linux", architecture: "arm64" } });
  const index = buildIndex([other, await app("mine")]);
  await load(await archive(layoutOf(index, "team/both:1")));
  expect(content("team/both:1")).toBe("mine");
  expect(store.find(`team/both@${index.manifest.digest}`)?.manifest).toBe(store.find("team/both:1")?.manifest);
  await expect(load(await archive(layoutOf(other, "team/other:1")))).resolves.toEqual(["docker.io/team/other:1"]);
  await expect(load(await archive(layoutOf(buildIndex([other]), "team/other:1")))).rejects.toThrow(
    "it has no image for linux/amd64, only for linux/arm64",
  );
});

test("a name moves to what is loaded later; what no name leads to goes with the last name", async () => {
  await load(await archive(layoutOf(await app(), "app:1")));
  await load(await archive(layoutOf(await app(), "app:2")));
  const shared = files().length;
  await load(await archive(layoutOf(await app("other"), "app:2")));
  expect(content("app:1")).toBe("hello");
  expect(content("app:2")).toBe("other");
  expect(store.list().map(({ name }) => name)).toEqual(["docker.io/library/app:1", "docker.io/library/app:2"]);
  expect(await store.remove("docker.io/library/app:2")).toBe(true);
  expect(files().length).toBeLessThan(shared);
  expect(content("app:1")).toBe("hello");
  expect(await store.remove("docker.io/library/app:1")).toBe(true);
  expect(await store.remove("docker.io/library/app:1")).toBe(false);
  expect(files()).toEqual([]);
});

const without = (entries: readonly TarEntry[], name: RegExp): readonly TarEntry[] => entries.filter((entry) => !name.test(entry.name));

test.each<[name: string, change: (entries: readonly TarEntry[]) => readonly TarEntry[], refusal: string]>([
  ["has no index", (entries) => without(entries, /index/), "it holds no image"],
  ["lacks a blob", (entries) => without(entries, /blobs/), "is missing"],
  [
    "has a wrong blob",
    (entries) => entries.map((entry) => (entry.name.includes("blobs") ? { ...entry, content: `${String(entry.content)} ` } : entry)),
    "not what its digest says",
  ],
  [
    "has no name",
    (entries) =>
      entries.map((entry) => (entry.name === "index.json" ? { ...entry, content: String(entry.content).replace("team/app:1", "1") } : entry)),
    "give it a name",
  ],
  ["is nonsense", () => [{ name: "index.json", content: "[1" }], "is not JSON"],
  [
    "leads out by a link",
    (entries) => [...without(entries, /index/), { name: "index.json", type: "symlink", linkname: "/etc/hostname" }],
    "is missing",
  ],
])("an archive that %s is refused, and leaves nothing", async (_name, change, refusal) => {
  await expect(load(await archive(change(layoutOf(await app(), "team/app:1"))))).rejects.toThrow(refusal);
  expect(store.list()).toEqual([]);
  expect(readdirSync(join(home, "images/parts"))).toEqual([]);
});

test("what is no archive is refused", async () => {
  await expect(load(join(home, "none.tar"), "a")).rejects.toThrow("it does not exist");
  writeFileSync(join(home, "text"), "hello ".repeat(1000));
  await expect(load(join(home, "text"), "a")).rejects.toThrow("it cannot be unpacked: Invalid tar header");
  const cut = gzipSync(await tarOf(layoutOf(await app())));
  writeFileSync(join(home, "cut"), cut.subarray(0, cut.length / 2));
  await expect(load(join(home, "cut"), "a")).rejects.toThrow(/damaged|cannot be unpacked/);
});

test("a layer that is not what the configuration says is refused", async () => {
  const image = await app("hello", "none");
  const other = await app("forged", "none");
  const forged = { ...image, layers: [other.layers[0] ?? Buffer.alloc(0), image.layers[1] ?? Buffer.alloc(0)] };
  await expect(load(await archive(dockerArchiveOf(forged, ["a:1"])))).rejects.toThrow("a layer is not what its configuration says");
  expect(store.list()).toEqual([]);
});
