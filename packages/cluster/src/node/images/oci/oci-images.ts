import { ImageError, type ImageFiles, type ImageRequest, type PresentImage, type ResolvedImage } from "../images.ts";
import type { ImageName } from "../image-name.ts";
import type { ImageConfig } from "./descriptor.ts";
import type { ImageStore, StoredImage } from "./image-store.ts";
import type { Puller } from "./pull-image.ts";
import { repositoryOf } from "./reference.ts";
import { stopSignalOf } from "./stop-signal.ts";

/** What images run with that say nothing of where their programs are. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Images as they are: loaded from archives, or pulled from registries. */
export class OciImages {
  readonly #store: ImageStore;
  readonly #puller: Pick<Puller, "pull">;

  constructor(store: ImageStore, puller: Pick<Puller, "pull">) {
    this.#store = store;
    this.#puller = puller;
  }

  has(image: string): boolean {
    return this.#store.find(image) !== undefined;
  }

  list(): readonly PresentImage[] {
    const byDigest = Map.groupBy(this.#store.list(), ({ digest }) => digest);
    return [...byDigest.values()]
      .map((images) => ({
        names: [...new Set(images.flatMap((image) => [idOf(image), image.name]))],
        sizeBytes: images[0]?.sizeBytes ?? 0,
      }))
      .sort((a, b) => b.sizeBytes - a.sizeBytes);
  }

  /** Brings the image here if its pull policy says so, and says what it means. Throws `ImageError`. */
  async resolve(request: ImageRequest, name: ImageName): Promise<ResolvedImage & { readonly files: ImageFiles }> {
    const { image, pullPolicy = "IfNotPresent", signal } = request;
    const present = pullPolicy === "Always" ? undefined : this.#store.find(image);
    if (present === undefined && pullPolicy === "Never")
      throw new ImageError("ErrImageNeverPull", `Container image ${JSON.stringify(image)} is not present with pull policy of Never`);
    const { stored, note } =
      present === undefined
        ? await this.#puller.pull(name, request)
        : { stored: present, note: `Container image ${JSON.stringify(image)} already present on machine` };
    const { config, root } = await this.#store.unpack(stored.manifest, `image ${image}`);
    signal.throwIfAborted();
    return {
      imageId: idOf(stored),
      note,
      argv: commandOf(config, request),
      env: { PATH, ...Object.fromEntries(config.env.map(variableOf)) },
      mounts: [],
      files: { directory: root, user: config.user, workingDirectory: config.workingDirectory, stopSignal: stopSignalOf(config.stopSignal) },
    };
  }
}

function idOf({ name, digest }: StoredImage): string {
  return `${repositoryOf(name)}@${digest}`;
}

/** A command replaces all that the image says; arguments replace only the image's own. */
function commandOf({ entrypoint, cmd }: ImageConfig, { command = [], args = [] }: ImageRequest): readonly string[] {
  if (command.length > 0) return [...command, ...args];
  return [...entrypoint, ...(args.length > 0 ? args : cmd)];
}

function variableOf(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}
