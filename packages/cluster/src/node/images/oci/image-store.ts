import { createHash, randomUUID } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Readable } from "node:stream";
import { parseImageName } from "../image-name.ts";
import { broken, digestOf, isDigest, readConfig, readTarget, type Descriptor, type ImageConfig, type Manifest } from "./descriptor.ts";
import { extractLayer, finishDirectories, type DirectoryAttributes } from "./extract-layer.ts";
import { canonicalName, sameRepository } from "./reference.ts";
import { unpacked } from "./unpacked.ts";

/** An image that is here, under one of its names. */
export interface StoredImage {
  /** With registry and tag or digest. */
  readonly name: string;
  /** What the registry or archive has under that name: the image, or an index of several. */
  readonly digest: string;
  /** The image for this machine. */
  readonly manifest: string;
  readonly sizeBytes: number;
}

/** An image whose content is on disk, unpacked. */
export interface UnpackedImage {
  readonly config: ImageConfig;
  /** The files of its containers, which nobody may change. */
  readonly root: string;
}

interface Reference {
  readonly name: string;
  readonly digest: string;
  readonly manifest: string;
}

/**
 * The images of this machine, in a directory that several processes may use at once: what is there is never changed, and
 * comes and goes by a rename. `blobs` are called by their digests, `refs` are names, `roots` are images' files, unpacked.
 */
export class ImageStore {
  readonly #directory: string;
  readonly #keepOwners: boolean;
  readonly #unpacking = new Map<string, Promise<void>>();

  constructor(directory: string) {
    this.#directory = directory;
    this.#keepOwners = process.geteuid?.() === 0;
  }

  /** All images by name. */
  list(): readonly StoredImage[] {
    return this.#references()
      .map((reference) => ({ ...reference, sizeBytes: this.#sizeOf(reference.manifest) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The image of that name, or with that digest in that repository. */
  find(image: string): StoredImage | undefined {
    const name = parseImageName(image);
    if (name === undefined) return undefined;
    const canonical = canonicalName(name);
    const reference =
      this.#readReference(fileOf(canonical)) ??
      (name.digest === undefined
        ? undefined
        : this.#references().find((one) => sameRepository(one.name, canonical) && (one.digest === name.digest || one.manifest === name.digest)));
    return reference === undefined ? undefined : { ...reference, sizeBytes: this.#sizeOf(reference.manifest) };
  }

  /** Gives an image a name, or moves the name to it. Its blobs must be here. */
  name(name: string, { digest, manifest }: { readonly digest: string; readonly manifest: string }): void {
    const directory = join(this.#directory, "refs");
    mkdirSync(directory, { recursive: true });
    const reference: Reference = { name, digest, manifest };
    writeWhole(join(directory, fileOf(name)), JSON.stringify(reference));
  }

  /** Takes a name away, and what no other name leads to; true if there was such a name. */
  async remove(name: string): Promise<boolean> {
    const reference = this.#readReference(fileOf(name));
    if (reference === undefined) return false;
    rmSync(join(this.#directory, "refs", fileOf(name)), { force: true });
    const left = this.#references();
    const needed = new Set(left.flatMap(({ digest, manifest }) => [digest, ...this.#blobsOf(manifest)]));
    for (const digest of [reference.digest, ...this.#blobsOf(reference.manifest)])
      if (!needed.has(digest)) await rm(this.blobPath(digest), { force: true });
    if (!left.some(({ manifest }) => manifest === reference.manifest)) await this.#discard(this.rootOf(reference.manifest));
    return true;
  }

  hasBlob(digest: string): boolean {
    return existsSync(this.blobPath(digest));
  }

  blobPath(digest: string): string {
    if (!isDigest(digest)) throw broken(JSON.stringify(digest), "it is no digest");
    return join(this.#directory, "blobs", ...digest.split(":"));
  }

  /** Where a blob is gathered before it is known to be complete. Whoever comes later may go on with what is there. */
  partPath(digest: string): string {
    const directory = join(this.#directory, "parts");
    mkdirSync(directory, { recursive: true });
    return join(directory, digest.replace(":", "-"));
  }

  /** Takes a gathered blob in if it is what its digest says; else deletes it, and throws `ImageError`. */
  async adopt(path: string, { digest, size }: Pick<Descriptor, "digest" | "size">, what: string): Promise<void> {
    const actual = await hashOf(path);
    if (statSync(path).size !== size || actual !== digest) {
      rmSync(path, { force: true });
      throw broken(what, `its part ${digest} is not what its digest says: it came as ${actual}`);
    }
    const target = this.blobPath(digest);
    mkdirSync(join(target, ".."), { recursive: true });
    renameSync(path, target);
  }

  /** Stores a blob from a stream. Throws `ImageError` if it is not what the descriptor says. */
  async put(content: Readable, descriptor: Pick<Descriptor, "digest" | "size">, what: string): Promise<void> {
    const path = `${this.partPath(descriptor.digest)}.${randomUUID()}`;
    try {
      await pipeline(content, createWriteStream(path));
      await this.adopt(path, descriptor, what);
    } finally {
      rmSync(path, { force: true });
    }
  }

  /** Stores a small blob, and returns its digest. */
  putText(text: string): string {
    const digest = digestOf(text);
    const path = this.blobPath(digest);
    mkdirSync(join(path, ".."), { recursive: true });
    writeWhole(path, text);
    return digest;
  }

  readBlob(digest: string): string {
    return readFileSync(this.blobPath(digest), "utf8");
  }

  /** Where the files of an image lie once it is unpacked. */
  rootOf(manifest: string): string {
    return join(this.#directory, "roots", manifest.replace(":", "-"));
  }

  /** Unpacks an image, unless that has been done; all who ask at once share the work. Throws `ImageError`. */
  async unpack(manifest: string, what: string): Promise<UnpackedImage> {
    const { config, layers } = this.#readManifest(manifest, what);
    const read = readConfig(this.readBlob(config.digest), `the configuration of ${what}`);
    const root = this.rootOf(manifest);
    if (!existsSync(root)) {
      const work = this.#unpacking.get(manifest) ?? this.#unpackTo(root, layers, read.diffIds, what).finally(() => this.#unpacking.delete(manifest));
      this.#unpacking.set(manifest, work);
      await work;
    }
    return { config: read, root };
  }

  async #unpackTo(root: string, layers: readonly Descriptor[], diffIds: readonly string[], what: string): Promise<void> {
    const draft = join(root, "..", `.draft-${randomUUID()}`);
    const options = { what, keepOwners: this.#keepOwners };
    const directories: DirectoryAttributes = new Map();
    try {
      mkdirSync(draft, { recursive: true, mode: 0o755 });
      for (const [index, layer] of layers.entries()) {
        const tar = await unpacked(createReadStream(this.blobPath(layer.digest)), { expect: diffIds[index], what });
        await extractLayer(draft, tar, directories, options);
      }
      finishDirectories(draft, directories, options);
      renameSync(draft, root);
    } catch (error) {
      // Another process may have been faster.
      if (!existsSync(root)) throw error;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }

  async #discard(root: string): Promise<void> {
    const gone = join(root, "..", `.gone-${randomUUID()}`);
    try {
      renameSync(root, gone);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return; // It was never unpacked.
      throw error;
    }
    await rm(gone, { recursive: true, force: true });
  }

  #readManifest(digest: string, what: string): Manifest {
    const target = readTarget(this.readBlob(digest), `the manifest of ${what}`);
    if (target.kind === "manifest") return target.manifest;
    throw broken(what, "its manifest is an index");
  }

  #blobsOf(manifest: string): readonly string[] {
    if (!this.hasBlob(manifest)) return [];
    const { config, layers } = this.#readManifest(manifest, manifest);
    return [manifest, config.digest, ...layers.map(({ digest }) => digest)];
  }

  #sizeOf(manifest: string): number {
    if (!this.hasBlob(manifest)) return 0;
    const { config, layers } = this.#readManifest(manifest, manifest);
    return [config, ...layers].reduce((sum, { size }) => sum + size, 0);
  }

  #references(): readonly Reference[] {
    let names: readonly string[];
    try {
      names = readdirSync(join(this.#directory, "refs"));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
    return names.flatMap((name) => this.#readReference(name) ?? []);
  }

  #readReference(file: string): Reference | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#directory, "refs", file), "utf8")) as Reference;
    } catch {
      return undefined; // There is none, it has just gone, or it is a draft.
    }
  }
}

function fileOf(name: string): string {
  return digestOf(name).slice("sha256:".length);
}

function writeWhole(path: string, text: string): void {
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return `sha256:${hash.digest("hex")}`;
}
