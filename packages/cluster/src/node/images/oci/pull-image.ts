import type { ImageRequest } from "../images.ts";
import { ImageError } from "../images.ts";
import type { StoredImage } from "./image-store.ts";

/** Brings images from their registries. */
export interface Puller {
  /** Resolves once the image is in the store, with a sentence for an event; equal requests share the work. Throws `ImageError`. */
  pull(name: string, request: ImageRequest): Promise<{ readonly stored: StoredImage; readonly note: string }>;
}
