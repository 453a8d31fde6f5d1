import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pathInRoot, statsAt } from "../../sandbox/oci/path-in-root.ts";
import { parseImageName } from "../image-name.ts";
import { broken, chooseManifest, describePlatforms, MANIFEST_TYPE, readTarget, type Descriptor, type Platform } from "./descriptor.ts";
import { extractLayer } from "./extract-layer.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { canonicalName } from "./reference.ts";
import { unpacked } from "./unpacked.ts";

/** How an archive is taken in. */
export interface LoadOptions {
  /** What the image is to be called, instead of the names that the archive has for it. */
  readonly name?: string | undefined;
  readonly platform: Platform;
}

/**
 * Takes the images of an archive into the store: an OCI image layout, as a directory or packed as tar, or what `docker save`
 * writes, each compressed or not. Throws `ImageError`.
 */
export async function loadArchive(store: ImageStore, path: string, options: LoadOptions): Promise<readonly StoredImage[]> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw broken(path, "it does not exist");
  if (stats.isDirectory()) return loadDirectory(store, path, { ...options, what: path });
  const draft = store.partPath(`archive.${randomUUID()}`);
  try {
    mkdirSync(draft);
    const tar = await unpacked(createReadStream(path), { what: path });
    await extractLayer(draft, tar, new Map(), { what: path, keepOwners: false });
    return await loadDirectory(store, draft, { ...options, what: path });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

interface Source extends LoadOptions {
  /** The archive, for messages. */
  readonly what: string;
}

async function loadDirectory(store: ImageStore, directory: string, options: Source): Promise<readonly StoredImage[]> {
  if (existsSync(join(directory, "index.json"))) return loadLayout(store, directory, options);
  if (existsSync(join(directory, "manifest.json"))) return loadDockerArchive(store, directory, options);
  throw broken(options.what, "it holds no image: neither an OCI layout's index.json nor the manifest.json of `docker save`");
}

async function loadLayout(store: ImageStore, directory: string, options: Source): Promise<readonly StoredImage[]> {
  const { what } = options;
  const text = read(directory, "index.json", what);
  const index = readTarget(text, `index.json of ${what}`);
  if (index.kind !== "index") throw broken(what, "its index.json is no index");
  const named = index.manifests.flatMap((descriptor) => {
    const name = nameIn(descriptor);
    return name === undefined ? [] : [{ name, descriptor }];
  });
  if (options.name === undefined && named.length > 0) {
    const loaded: StoredImage[] = [];
    for (const { name, descriptor } of named) loaded.push(await loadTarget(store, directory, { descriptor, name }, options));
    return loaded;
  }
  const name = nameFrom(options);
  const [only] = index.manifests;
  const distinct = new Set(named.map((one) => one.name)).size;
  if (distinct > 1) throw broken(what, `it holds several images, so one name does not do: ${named.map((one) => one.name).join(", ")}`);
  if (only !== undefined && index.manifests.length === 1) return [await loadTarget(store, directory, { descriptor: only, name }, options)];
  const descriptor = choose(index.manifests, options);
  return [await loadTarget(store, directory, { descriptor, name }, options)];
}

async function loadTarget(
  store: ImageStore,
  directory: string,
  { descriptor, name }: { readonly descriptor: Descriptor; readonly name: string },
  options: Source,
): Promise<StoredImage> {
  const { what } = options;
  let { digest } = descriptor;
  for (;;) {
    const target = readTarget(read(directory, blobIn(digest), what), `the manifest of ${what}`);
    if (target.kind === "index") {
      digest = choose(target.manifests, options).digest;
      continue;
    }
    const { config, layers } = target.manifest;
    const size = statSync(locate(directory, blobIn(digest), what)).size;
    for (const blob of [...layers, config, { digest, size }]) {
      if (!store.hasBlob(blob.digest)) await store.put(createReadStream(locate(directory, blobIn(blob.digest), what)), blob, what);
    }
    return keep(store, { name, digest: descriptor.digest, manifest: digest }, what);
  }
}

/** What `docker save` wrote before it wrote OCI layouts; its layers are called by their paths. */
async function loadDockerArchive(store: ImageStore, directory: string, options: Source): Promise<readonly StoredImage[]> {
  const { what } = options;
  const entries = readDockerManifest(read(directory, "manifest.json", what), what);
  if (options.name !== undefined && entries.length > 1) throw broken(what, "it holds several images, so one name does not do");
  const loaded: StoredImage[] = [];
  for (const { Config, RepoTags, Layers } of entries) {
    const blobs: Descriptor[] = [];
    for (const path of [Config, ...Layers]) {
      const file = locate(directory, path, what);
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
      const descriptor = { digest: `sha256:${hash.digest("hex")}`, size: statSync(file).size };
      if (!store.hasBlob(descriptor.digest)) await store.put(createReadStream(file), descriptor, what);
      blobs.push(descriptor);
    }
    const [config, ...layers] = blobs;
    const digest = store.putText(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers }));
    const names = options.name !== undefined || RepoTags.length === 0 ? [nameFrom(options)] : RepoTags;
    for (const name of names) loaded.push(await keep(store, { name: canonical(name, what), digest, manifest: digest }, what));
  }
  return loaded;
}

/** An image is not called by its name before it is known to unpack. */
async function keep(
  store: ImageStore,
  reference: { readonly name: string; readonly digest: string; readonly manifest: string },
  what: string,
): Promise<StoredImage> {
  const { name, digest, manifest } = reference;
  await store.unpack(manifest, what);
  store.name(name, { digest, manifest });
  const stored = store.find(name);
  if (stored === undefined) throw broken(what, `its name ${name} was taken away meanwhile`);
  return stored;
}

function choose(manifests: readonly Descriptor[], { platform, what }: Source): Descriptor {
  const chosen = chooseManifest(manifests, platform);
  if (chosen !== undefined) return chosen;
  throw broken(what, `it has no image for ${platform.os}/${platform.architecture}, only for ${describePlatforms(manifests) || "no platform"}`);
}

/** What a layout calls an image, if that is a whole name and no mere tag. */
function nameIn({ annotations = {} }: Descriptor): string | undefined {
  const name = annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"] ?? "";
  if (!/[/:]/u.test(name)) return undefined;
  const parsed = parseImageName(name);
  return parsed === undefined ? undefined : canonicalName(parsed);
}

function nameFrom({ name, what }: Source): string {
  if (name === undefined) throw broken(what, "it does not say what its image is called: give it a name, e.g. --name team/app:1");
  return canonical(name, what);
}

function canonical(name: string, what: string): string {
  const parsed = parseImageName(name);
  if (parsed === undefined) throw broken(what, `${JSON.stringify(name)} is not an image name: expected [registry/]repository[:tag]`);
  return canonicalName(parsed);
}

interface DockerImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

function readDockerManifest(text: string, what: string): readonly DockerImage[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.length > 0) {
      return value.map((entry: Partial<DockerImage>) => {
        const { Config, RepoTags, Layers } = entry;
        if (typeof Config !== "string" || !Array.isArray(Layers)) throw new Error("an entry has no Config or Layers");
        return { Config, RepoTags: (RepoTags ?? []).map(String), Layers: Layers.map(String) };
      });
    }
  } catch (cause) {
    throw broken(what, `its manifest.json is wrong: ${messageOf(cause)}`, cause);
  }
  throw broken(what, "its manifest.json lists no image");
}

function blobIn(digest: string): string {
  return join("blobs", ...digest.split(":"));
}

function read(directory: string, path: string, what: string): string {
  return readFileSync(locate(directory, path, what), "utf8");
}

/** A file of the archive; links in it lead nowhere else. */
function locate(directory: string, path: string, what: string): string {
  const place = pathInRoot(directory, path);
  if (place === undefined || statsAt(place)?.isFile() !== true) throw broken(what, `its part ${path} is missing`);
  return place;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
