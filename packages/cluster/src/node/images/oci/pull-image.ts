import { createWriteStream, rmSync, statSync } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Clock } from "@sluice/controller";
import { Limiter } from "../../pod/limiter.ts";
import { parseImageName, type ImageName } from "../image-name.ts";
import { ImageError, type ImageRequest, type RegistryLogin } from "../images.ts";
import { profileHint } from "../profiles.ts";
import { SharedWork, type Share } from "../shared-work.ts";
import {
  broken,
  chooseManifest,
  describePlatforms,
  digestOf,
  isDigest,
  readTarget,
  type Descriptor,
  type Manifest,
  type Platform,
} from "./descriptor.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import { canonicalName, repositoryPath } from "./reference.ts";
import { RegistryError, Repository } from "./registry-client.ts";

/** What pulling images needs. */
export interface PullerOptions {
  readonly store: ImageStore;
  readonly platform: Platform;
  readonly clock: Clock;
}

/** What is told of an image that has come. */
export interface Pulled {
  readonly stored: StoredImage;
  /** A sentence for an event. */
  readonly note: string;
}

const LAYERS_AT_ONCE = 3;
const ATTEMPTS = 4;
const RETRY_MS = 500;

/** Brings images from their registries into the store. */
export class Puller {
  readonly #options: PullerOptions;
  readonly #pulls = new SharedWork<StoredImage>();
  /** Two images may have a layer in common. */
  readonly #blobs = new SharedWork<void>();

  constructor(options: PullerOptions) {
    this.#options = options;
  }

  /** Resolves once the image is in the store; equal requests share the work. Throws `ImageError`. */
  async pull(name: ImageName, request: ImageRequest): Promise<Pulled> {
    const { clock } = this.#options;
    const { image } = request;
    if (name.digest !== undefined && !isDigest(name.digest))
      throw broken(`image ${image}`, "its digest is of a kind that cannot be checked: sha256 can");
    const started = clock.now();
    const find = await request.credentials?.();
    const logins = find?.(`${name.registry}/${repositoryPath(name)}`) ?? [];
    const stored = await this.#pulls.join(JSON.stringify([canonicalName(name), logins]), request, (share) => this.#pull(name, image, logins, share));
    const seconds = ((clock.now() - started) / 1000).toFixed(3).replace(/\.?0+$/u, "");
    return { stored, note: `Successfully pulled image ${JSON.stringify(image)} in ${seconds}s. Image size: ${stored.sizeBytes} bytes.` };
  }

  async #pull(name: ImageName, image: string, logins: readonly RegistryLogin[], share: Share): Promise<StoredImage> {
    const { store } = this.#options;
    const { signal, tell } = share;
    const canonical = canonicalName(name);
    tell(`Pulling image ${JSON.stringify(image)}`);
    try {
      const repository = new Repository({ registry: name.registry, repository: repositoryPath(name), logins, signal });
      const top = await this.#retrying(signal, () => repository.manifest(name.digest ?? name.tag ?? "latest"));
      const { digest, manifestDigest, manifest } = await this.#resolve(repository, { name, text: top, image, signal });
      await this.#fetchBlobs(repository, manifest, { image, share });
      await store.unpack(manifestDigest, `image ${image}`);
      signal.throwIfAborted();
      store.name(canonical, { digest, manifest: manifestDigest });
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      const hint = parseImageName(image)?.repository ?? image;
      throw new ImageError(
        "ErrImagePull",
        `failed to pull image ${JSON.stringify(canonical)}: ${error.message}. An image that is in an archive can be loaded by \`sluice image load\`. ${profileHint(hint)}`,
        { cause: error },
      );
    }
    const stored = store.find(canonical);
    if (stored === undefined) throw broken(`image ${image}`, "it was removed while it was pulled");
    return stored;
  }

  /** The image for this machine, behind a name that may stand for one of several platforms. All manifests are in the store then. */
  async #resolve(
    repository: Repository,
    { name, text, image, signal }: { readonly name: ImageName; readonly text: string; readonly image: string; readonly signal: AbortSignal },
  ): Promise<{ readonly digest: string; readonly manifestDigest: string; readonly manifest: Manifest }> {
    const { store, platform } = this.#options;
    const what = `the manifest of image ${image}`;
    const take = (content: string, expected: string | undefined): string => {
      const digest = digestOf(content);
      if (expected !== undefined && digest !== expected) throw broken(what, `${expected} was asked for, and ${digest} came`);
      return store.putText(content);
    };
    const digest = take(text, name.digest);
    let manifestDigest = digest;
    let target = readTarget(text, what);
    while (target.kind === "index") {
      const chosen = chooseManifest(target.manifests, platform);
      if (chosen === undefined) {
        const offered = describePlatforms(target.manifests) || "no platform";
        throw broken(`image ${image}`, `no match for platform ${platform.os}/${platform.architecture}: it is for ${offered}`);
      }
      const next = await this.#retrying(signal, () => repository.manifest(chosen.digest));
      manifestDigest = take(next, chosen.digest);
      target = readTarget(next, what);
    }
    return { digest, manifestDigest, manifest: target.manifest };
  }

  async #fetchBlobs(
    repository: Repository,
    { config, layers }: Manifest,
    { image, share }: { readonly image: string; readonly share: Share },
  ): Promise<void> {
    const { store } = this.#options;
    const limiter = new Limiter(LAYERS_AT_ONCE);
    const missing = [...new Map([config, ...layers].map((blob) => [blob.digest, blob])).values()].filter(({ digest }) => !store.hasBlob(digest));
    const total = missing.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    const failing = new AbortController();
    const signal = AbortSignal.any([share.signal, failing.signal]);
    const fetched = await Promise.allSettled(
      missing.map((blob) =>
        limiter
          .run(async () => {
            await this.#blobs.join(blob.digest, { progress: () => {}, signal }, (one) =>
              this.#fetchBlob(repository, blob, { image, signal: one.signal }),
            );
            done += blob.size;
            if (total > PROGRESS_BYTES) share.tell(`Pulling image ${JSON.stringify(image)}: ${megabytes(done)} of ${megabytes(total)} MB`);
          })
          .catch((error: unknown) => {
            failing.abort(error);
            throw error;
          }),
      ),
    );
    share.signal.throwIfAborted();
    for (const outcome of fetched) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #fetchBlob(
    repository: Repository,
    blob: Descriptor,
    { image, signal }: { readonly image: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const { store } = this.#options;
    const path = store.partPath(blob.digest);
    await this.#retrying(signal, async () => {
      const start = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (start > blob.size) rmSync(path);
      if (start !== blob.size) {
        const { isPart, content } = await repository.blob(blob.digest, start > blob.size ? 0 : start);
        await receive(content, path, { isPart, signal });
      }
      await store.adopt(path, blob, `image ${image}`);
    });
  }

  /** Networks fail for a moment. What has come of a blob is kept meanwhile. */
  async #retrying<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof RegistryError) || !error.isTemporary || attempt === ATTEMPTS) throw error;
        await this.#options.clock.sleep(RETRY_MS * 2 ** (attempt - 1), signal);
      }
    }
  }
}

/** Small images are here before anybody could read how far they are. */
const PROGRESS_BYTES = 20_000_000;

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

async function receive(
  content: ReadableStream<Uint8Array>,
  path: string,
  { isPart, signal }: { readonly isPart: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const source = Readable.from(content);
  let failure: Error | undefined;
  source.on("error", (error) => (failure = error));
  try {
    await pipeline(source, createWriteStream(path, { flags: isPart ? "a" : "w" }), { signal });
  } catch (cause) {
    signal.throwIfAborted();
    if (failure === undefined) throw cause; // The disk is full, or the like.
    throw new RegistryError(`a blob broke off: ${failure.message}`, { isTemporary: true, cause });
  }
}
