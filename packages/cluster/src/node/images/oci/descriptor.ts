import { createHash } from "node:crypto";
import { ImageError } from "../images.ts";

/** What something in an image is called, by what it holds. */
export interface Descriptor {
  readonly mediaType?: string | undefined;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly platform?: Platform | undefined;
}

/** The machine that an image is for, in Go's words. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

/** One image: its configuration, and its layers from the bottom. */
export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** What an image says about its containers. */
export interface ImageConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDirectory: string;
  readonly stopSignal: string;
  /** Of the layers' content, unpacked. */
  readonly diffIds: readonly string[];
}

/** What a registry or an archive has under a name: one image, or one for each of several platforms. */
export type Target =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  | { readonly kind: "index"; readonly manifests: readonly Descriptor[] };

/** The media types that a registry is asked for. */
export const TARGET_TYPES: readonly string[] = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

/** The media type of an image's manifest. */
export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

const DIGEST = /^sha256:[0-9a-f]{64}$/u;

/** Whether something is a digest, of the one kind that everybody uses. */
export function isDigest(text: unknown): text is string {
  return typeof text === "string" && DIGEST.test(text);
}

/** The digest by which content is called. */
export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Reads a manifest or an index. Throws `ImageError`. */
export function readTarget(text: string, what: string): Target {
  const value = readObject(text, what);
  if (Array.isArray(value["manifests"])) return { kind: "index", manifests: value["manifests"].map((entry) => descriptorOf(entry, what)) };
  if (value["schemaVersion"] === 1 || Array.isArray(value["fsLayers"]))
    throw broken(what, "it is of a kind that went out of use in 2017: push the image again");
  if (!Array.isArray(value["layers"])) throw broken(what, "it has neither layers nor manifests");
  const layers = value["layers"].map((layer) => descriptorOf(layer, what));
  return { kind: "manifest", manifest: { config: descriptorOf(value["config"], what), layers } };
}

/** Reads an image's configuration. Throws `ImageError`. */
export function readConfig(text: string, what: string): ImageConfig {
  const value = readObject(text, what);
  const config = isRecord(value["config"]) ? value["config"] : {};
  const rootfs = isRecord(value["rootfs"]) ? value["rootfs"] : {};
  return {
    user: textOf(config["User"]),
    env: wordsOf(config["Env"]),
    entrypoint: wordsOf(config["Entrypoint"]),
    cmd: wordsOf(config["Cmd"]),
    workingDirectory: textOf(config["WorkingDir"]),
    stopSignal: textOf(config["StopSignal"]),
    diffIds: wordsOf(rootfs["diff_ids"]),
  };
}

/** The image for `platform` among several; undefined where there is none. */
export function chooseManifest(manifests: readonly Descriptor[], platform: Platform): Descriptor | undefined {
  const fitting = manifests.filter(
    ({ platform: offered }) => offered === undefined || (offered.os === platform.os && offered.architecture === platform.architecture),
  );
  // An attestation that goes with an image calls its platform unknown; one that says nothing is taken last.
  const named = fitting.filter(({ platform: offered }) => offered !== undefined);
  return named.find(({ platform: offered }) => (offered?.variant ?? "") === (platform.variant ?? "")) ?? named[0] ?? fitting[0];
}

/** The platforms that an index offers, for a message. */
export function describePlatforms(manifests: readonly Descriptor[]): string {
  return manifests
    .flatMap(({ platform }) => (platform === undefined ? [] : [[platform.os, platform.architecture, platform.variant].filter(Boolean).join("/")]))
    .join(", ");
}

/** An image that cannot be used as it is. */
export function broken(what: string, why: string, cause?: unknown): ImageError {
  return new ImageError("ErrImagePull", `${what} cannot be used: ${why}`, { cause });
}

function readObject(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw broken(what, "it is not JSON", cause);
  }
  if (!isRecord(value)) throw broken(what, "it is not a JSON object");
  return value;
}

function descriptorOf(value: unknown, what: string): Descriptor {
  if (!isRecord(value) || !isDigest(value["digest"]) || typeof value["size"] !== "number") throw broken(what, "a digest or a size in it is wrong");
  const { digest, size, mediaType, annotations, platform } = value;
  return {
    digest,
    size,
    ...(typeof mediaType === "string" ? { mediaType } : {}),
    ...(isRecord(annotations) ? { annotations: Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, String(text)])) } : {}),
    ...(isRecord(platform)
      ? {
          platform: {
            os: textOf(platform["os"]),
            architecture: textOf(platform["architecture"]),
            ...(textOf(platform["variant"]) === "" ? {} : { variant: textOf(platform["variant"]) }),
          },
        }
      : {}),
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function wordsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((word) => typeof word === "string") : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
