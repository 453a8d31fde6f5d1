import type { SandboxMount } from "../sandbox/sandbox.ts";

/** What a container asks of its image. */
export interface ImageRequest extends FilesRequest {
  /** As in the pod; absent or empty means the image's own. */
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
}

/** What is asked of an image whose files alone matter. */
interface FilesRequest {
  readonly image: string;
  /** The pod's `imagePullPolicy`; `IfNotPresent` unless given. */
  readonly pullPolicy?: PullPolicy | undefined;
  /** What to prove to a registry with; asked for only if something is pulled. */
  readonly credentials?: (() => Promise<PullCredentials>) | undefined;
  /** Tells the user, in one line, what takes long, e.g. `installing kfp==2.15.2 into a new Python environment`. */
  progress(line: string): void;
  readonly signal: AbortSignal;
}

/** When a registry is asked for an image. */
export type PullPolicy = "Always" | "IfNotPresent" | "Never";

/** Who one is to a registry. */
export interface RegistryLogin {
  readonly username: string;
  readonly password: string;
  /** Instead of a password, where the registry issued one. */
  readonly identityToken?: string | undefined;
}

/** Finds the logins for a repository, written with its registry, the most fitting first. */
export type PullCredentials = (repository: string) => readonly RegistryLogin[];

/** What an image brings: its files, and what it says of its containers. */
export interface ImageFiles {
  /** Where its files lie, unpacked; nobody may change them. */
  readonly directory: string;
  /** `name`, `uid`, `name:group` or `uid:gid`; empty for root. */
  readonly user: string;
  readonly workingDirectory: string;
  /** What asks its containers to end, instead of SIGTERM. */
  readonly stopSignal?: number | undefined;
}

/** What a container's image means on this machine. */
export interface ResolvedImage {
  /** `status.containerStatuses[].imageID`: what really runs, e.g. `profile://python/3.11.7/<digest of its environment>`. */
  readonly imageId: string;
  /** The profile that stands in for the image, told in an event and an annotation; absent where the image itself runs. */
  readonly profile?: string | undefined;
  /** One sentence for an event: what runs instead of the image, or how the image came here. */
  readonly note: string;
  /** Program and arguments to run. */
  readonly argv: readonly string[];
  /** Lies below the container's own environment; `PATH` is always here. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly SandboxMount[];
  /** Absent where a profile stands in. */
  readonly files?: ImageFiles | undefined;
}

/** An image that is here, as a node tells of it. */
export interface PresentImage {
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

/** An image that cannot run here. `reason` is the container's waiting reason; the message holds the cause and the fix. */
export class ImageError extends Error {
  readonly reason: "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull";
  constructor(reason: ImageError["reason"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ImageError";
    this.reason = reason;
  }
}

/** Turns image names into what this machine can run. */
export interface Images {
  /** Resolves once it can run at once; equal requests share the work. Throws `ImageError`. */
  resolve(request: ImageRequest): Promise<ResolvedImage>;
  /** The directory of an image's own files, for a volume; nobody may change them. Throws `ImageError`. */
  files(request: FilesRequest): Promise<string>;
  /** The images that have been loaded or pulled, the largest first. */
  list(): readonly PresentImage[];
}
