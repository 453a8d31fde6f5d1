import { UserError } from "@sluice/kubernetes";
import { imagePlatform } from "../../machine.ts";
import { isRootInUse } from "../../sandbox/oci/root-use.ts";
import { parseImageName } from "../image-name.ts";
import { ImageError } from "../images.ts";
import { ImageStore, type StoredImage } from "./image-store.ts";
import { loadArchive } from "./load-archive.ts";
import { canonicalName } from "./reference.ts";

/** The images of a data directory, for people. What it changes, a running node sees at once. */
export interface ImageLibrary {
  /** Takes in the images of an archive; `name` says what to call the one that is in it. */
  load(archive: string, name?: string): Promise<readonly StoredImage[]>;
  list(): readonly StoredImage[];
  /** Takes away a name, and the image with its last name; returns the whole name. */
  remove(name: string): Promise<string>;
}

/** Opens the images in `directory`. What goes wrong is a `UserError`. */
export function openImageLibrary(directory: string): ImageLibrary {
  const store = new ImageStore(directory);
  return {
    list: () => store.list(),
    async load(archive, name) {
      try {
        return await loadArchive(store, archive, { name, platform: imagePlatform() });
      } catch (error) {
        if (error instanceof ImageError) throw new UserError(error.message, { cause: error });
        throw error;
      }
    },
    async remove(name) {
      const parsed = parseImageName(name);
      const image = store.find(name);
      if (parsed === undefined || image === undefined)
        throw new UserError(`there is no image ${name}`, { fix: "`sluice image list` shows those that there are" });
      const isLast = store.list().filter(({ manifest }) => manifest === image.manifest).length === 1;
      if (isLast && isRootInUse(store.rootOf(image.manifest)))
        throw new UserError(`image ${image.name} is in use by a container that runs`, { fix: "delete its pods first" });
      await store.remove(parsed.digest === undefined ? canonicalName(parsed) : image.name);
      return image.name;
    },
  };
}
