import type { SandboxMount } from "../sandbox/sandbox.ts";

/** What a container asks of its image. */
export interface ImageRequest {
  readonly image: string;
  /** As in the pod; absent or empty means the image's own. */
  readonly command?: readonly string[] | undefined;
  readonly args?: readonly string[] | undefined;
  /** Tells the user, in one line, what takes long, e.g. `installing kfp==2.15.2 into a new Python environment`. */
  progress(line: string): void;
  readonly signal: AbortSignal;
}

/** What a container's image means on this machine. */
export interface ResolvedImage {
  /** `status.containerStatuses[].imageID`: what really runs, e.g. `profile://python/3.11.7/<digest of its environment>`. */
  readonly imageId: string;
  /** The profile that stands in for the image, told in an event and an annotation. */
  readonly profile: string;
  /** One sentence for that event: what runs instead of the image. */
  readonly note: string;
  /** Program and arguments to run. */
  readonly argv: readonly string[];
  /** Lies below the container's own environment; `PATH` is always here. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly SandboxMount[];
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
}
