import { createHash } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Descriptor, Platform } from "./descriptor.ts";

/** One entry of a tar archive. */
export interface TarEntry {
  readonly name: string;
  readonly content?: string | Uint8Array;
  readonly type?: "file" | "directory" | "symlink" | "link" | "character-device" | "fifo";
  readonly linkname?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** The machine that tests' images are for. */
export const PLATFORM: Platform = { os: "linux", architecture: "amd64" };

/** Packs a tar archive. */
export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const packer = pack();
  for (const { content = "", name, type = "file", mode = type === "directory" ? 0o755 : 0o644, ...more } of entries) {
    packer.entry({ name, type, mode, mtime: new Date(1_700_000_000_000), ...more }, type === "file" ? Buffer.from(content) : Buffer.alloc(0));
  }
  packer.finalize();
  const parts: Buffer[] = [];
  for await (const part of packer) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

/** What an image is built from. */
export interface ImagePlan {
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly compression?: "none" | "gzip" | "zstd";
  readonly platform?: Platform;
}

/** An image, as its blobs. */
export interface BuiltImage {
  readonly manifest: Descriptor;
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
}

/** Builds an image from scratch. */
export async function buildImage({ layers, config = {}, compression = "gzip", platform = PLATFORM }: ImagePlan): Promise<BuiltImage> {
  const blobs = new Map<string, Buffer>();
  const add = (bytes: Buffer, mediaType: string): Descriptor => {
    const descriptor = describe(bytes, mediaType);
    blobs.set(descriptor.digest, bytes);
    return descriptor;
  };
  const tars = await Promise.all(layers.map(tarOf));
  const packed = tars.map((tar) => (compression === "gzip" ? gzipSync(tar) : compression === "zstd" ? zstdCompressSync(tar) : tar));
  const suffix = compression === "none" ? "" : `+${compression}`;
  const configBytes = Buffer.from(
    JSON.stringify({ ...platform, config, rootfs: { type: "layers", diff_ids: tars.map((tar) => describe(tar, "").digest) } }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: add(configBytes, "application/vnd.oci.image.config.v1+json"),
    layers: packed.map((layer) => add(layer, `application/vnd.oci.image.layer.v1.tar${suffix}`)),
  };
  const descriptor = add(Buffer.from(JSON.stringify(manifest)), manifest.mediaType);
  return { manifest: { ...descriptor, platform }, blobs, config: configBytes, layers: packed };
}

/** An index of several images. */
export function buildIndex(images: readonly BuiltImage[]): BuiltImage {
  const [first] = images;
  if (first === undefined) throw new Error("an index needs an image");
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: images.map(({ manifest }) => manifest) }));
  const manifest = describe(bytes, mediaType);
  const blobs = new Map([...images.flatMap((image) => [...image.blobs]), [manifest.digest, bytes] as const]);
  return { ...first, manifest, blobs };
}

/** An OCI image layout, as the entries of an archive. */
export function layoutOf(image: BuiltImage, name?: string): readonly TarEntry[] {
  const annotations = name === undefined ? {} : { annotations: { "org.opencontainers.image.ref.name": name } };
  return [
    { name: "oci-layout", content: JSON.stringify({ imageLayoutVersion: "1.0.0" }) },
    { name: "index.json", content: JSON.stringify({ schemaVersion: 2, manifests: [{ ...image.manifest, ...annotations }] }) },
    ...[...image.blobs].map(([digest, content]) => ({ name: `blobs/${digest.replace(":", "/")}`, content })),
  ];
}

/** What `docker save` wrote before it wrote layouts. */
export function dockerArchiveOf(image: BuiltImage, names: readonly string[]): readonly TarEntry[] {
  const layers = image.layers.map((content, index) => ({ name: `layer${index}/layer.tar`, content }));
  return [
    ...layers,
    { name: "config.json", content: image.config },
    {
      name: "manifest.json",
      content: JSON.stringify([{ Config: "config.json", RepoTags: names.length === 0 ? null : names, Layers: layers.map(({ name }) => name) }]),
    },
  ];
}

function describe(bytes: Buffer, mediaType: string): Descriptor {
  return { mediaType, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}`, size: bytes.length };
}
