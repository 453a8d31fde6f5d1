import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/controller";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseImageName } from "../image-name.ts";
import type { ImageRequest, RegistryLogin, ResolvedImage } from "../images.ts";
import { buildImage, buildIndex, PLATFORM, type BuiltImage } from "./image.fixture.ts";
import { ImageStore } from "./image-store.ts";
import { OciImages } from "./oci-images.ts";
import { Puller } from "./pull-image.ts";
import { openRegistry, type RegistryAuth, type TestRegistry } from "./registry.fixture.ts";

let home: string;
let store: ImageStore;
let images: OciImages;
let registry: TestRegistry;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sluice-pull-"));
  store = new ImageStore(home);
  images = new OciImages(store, new Puller({ store, platform: PLATFORM, clock: systemClock }));
  await open();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function open(auth?: RegistryAuth): Promise<void> {
  if (auth !== undefined) await registry[Symbol.asyncDispose]();
  registry = await openRegistry(auth);
  registry.push("team/app", "1", await hello());
}

function hello(text = "hello"): Promise<BuiltImage> {
  const config = { Entrypoint: ["/app"], Cmd: ["serve"], Env: ["A=1", "PATH=/here"], WorkingDir: "/data", User: "65532", StopSignal: "SIGINT" };
  return buildImage({
    layers: [[{ name: "app", content: text }], [{ name: "data/more", content: "x".repeat(300_000) }]],
    config,
    compression: "none",
  });
}

function resolve(image: string, more: Partial<ImageRequest> & { readonly logins?: readonly RegistryLogin[] } = {}): Promise<ResolvedImage> {
  const { logins = [], ...rest } = more;
  const name = parseImageName(image);
  if (name === undefined) throw new Error(`${image} is no name`);
  return images.resolve({ image, progress: () => {}, signal: new AbortController().signal, credentials: async () => () => logins, ...rest }, name);
}

const name = (tag = "1"): string => `${registry.host}/team/app:${tag}`;
const blobRequests = (): readonly string[] => registry.requests.filter((request) => request.includes("blobs/"));

test("an image is pulled, and says what its containers run with", async () => {
  const lines: string[] = [];
  const image = await resolve(name(), { args: ["now"], progress: (line) => lines.push(line) });
  const { manifest } = await hello();
  expect(image).toMatchObject({
    imageId: `${registry.host}/team/app@${manifest.digest}`,
    argv: ["/app", "now"],
    env: { A: "1", PATH: "/here" },
    files: { user: "65532", workingDirectory: "/data", stopSignal: 2 },
    note: expect.stringMatching(/^Successfully pulled image "127\.0\.0\.1:\d+\/team\/app:1" in [\d.]+s\. Image size: \d+ bytes\.$/),
  });
  expect(lines).toEqual([`Pulling image "${name()}"`]);
  expect(readFileSync(join(image.files?.directory ?? "", "app"), "utf8")).toBe("hello");
  expect(images.list()).toEqual([{ names: [image.imageId, name()], sizeBytes: expect.any(Number) }]);
});

test("what is here is not asked for again, except always; never is never", async () => {
  await expect(resolve(name(), { pullPolicy: "Never" })).rejects.toMatchObject({
    reason: "ErrImageNeverPull",
    message: `Container image "${name()}" is not present with pull policy of Never`,
  });
  const first = await resolve(name());
  const asked = registry.requests.length;
  expect((await resolve(name(), { pullPolicy: "Never" })).note).toBe(`Container image "${name()}" already present on machine`);
  expect((await resolve(`${registry.host}/team/app@${first.imageId.split("@")[1] ?? ""}`)).imageId).toBe(first.imageId);
  expect(registry.requests.length).toBe(asked);
  registry.push("team/app", "1", await hello("new"));
  const second = await resolve(name(), { pullPolicy: "Always" });
  expect(readFileSync(join(second.files?.directory ?? "", "app"), "utf8")).toBe("new");
  expect(blobRequests()).toHaveLength(3 + 2); // The layer that both have came once.
});

test("all who ask at once share the work, layers come in parallel, but not too many", async () => {
  const layers = Array.from({ length: 9 }, (_, index) => [{ name: `f${index}`, content: `${index}` }]);
  registry.push("team/app", "many", await buildImage({ layers }));
  const all = await Promise.all(Array.from({ length: 10 }, () => resolve(name("many"))));
  expect(new Set(all.map(({ imageId }) => imageId)).size).toBe(1);
  expect(blobRequests()).toHaveLength(10);
  expect(registry.mostAtOnce).toBeGreaterThan(1);
  expect(registry.mostAtOnce).toBeLessThanOrEqual(3);
});

test("of an image for several platforms, this machine's is taken", async () => {
  const here = await hello();
  const there = await buildImage({ layers: [], platform: { os: "linux", architecture: "s390x" } });
  const unknown = await buildImage({ layers: [], platform: { os: "unknown", architecture: "unknown" } });
  const index = buildIndex([unknown, there, here]);
  registry.push("team/app", "both", index);
  const image = await resolve(name("both"));
  expect(image.imageId).toBe(`${registry.host}/team/app@${index.manifest.digest}`);
  expect(image.argv).toEqual(["/app", "serve"]);
  registry.push("team/app", "other", buildIndex([there]));
  await expect(resolve(name("other"))).rejects.toThrow("no match for platform linux/amd64: it is for linux/s390x");
});

test("a blob that breaks off goes on where it was, also for who comes later", async () => {
  registry.breakAfter = 100_000;
  await resolve(name());
  expect(blobRequests().filter((request) => request.includes(" from "))).toHaveLength(1);

  registry.push("team/app", "2", await hello("other"));
  const other = await hello("other");
  const layer = other.layers[0] ?? Buffer.alloc(0);
  const digest = [...other.blobs].find(([, content]) => content === layer)?.[0] ?? "";
  writeFileSync(store.partPath(digest), layer.subarray(0, 600));
  await resolve(name("2"));
  expect(registry.requests).toContain(`GET blobs/${digest} from 600`);
});

test("what is not what its digest says is refused, and comes right the next time", async () => {
  registry.isLying = true;
  await expect(resolve(name())).rejects.toMatchObject({ name: "ImageError", message: expect.stringContaining("is not what its digest says") });
  expect(store.list()).toEqual([]);
  expect((await resolve(name())).argv).toEqual(["/app", "serve"]);
});

const LOGIN = { username: "me", password: "pass:word" };

test.each([["basic"], ["bearer"]] as const)("logins by %s", async (kind) => {
  await open({ kind, ...LOGIN });
  const denied = `failed to pull image "${name()}": pull access denied, repository does not exist or may require authorization`;
  await expect(resolve(name())).rejects.toThrow(denied);
  await expect(resolve(name(), { logins: [{ ...LOGIN, password: "wrong" }] })).rejects.toThrow(denied);
  const image = await resolve(name(), { logins: [{ ...LOGIN, password: "wrong" }, LOGIN] });
  expect(image.argv).toEqual(["/app", "serve"]);
  if (kind === "bearer") expect(registry.requests).toContain("GET token for repository:team/app:pull of test");
});

test("what cannot be had is said, with the ways out", async () => {
  await expect(resolve(name("none"))).rejects.toMatchObject({
    name: "ImageError",
    reason: "ErrImagePull",
    message: expect.stringMatching(/^failed to pull image "127.*none": not found\. .*sluice image load.*imageProfiles/),
  });
  await registry[Symbol.asyncDispose]();
  await expect(resolve(name())).rejects.toThrow(/cannot be reached: .*ECONNREFUSED/);
});

test("who no longer waits stops the work, and who comes next begins anew", async () => {
  const controller = new AbortController();
  registry.breakAfter = 10;
  const waiting = resolve(name(), { signal: controller.signal, progress: () => controller.abort(new Error("pod deleted")) });
  await expect(waiting).rejects.toThrow("pod deleted");
  expect((await resolve(name())).argv).toEqual(["/app", "serve"]);
});
