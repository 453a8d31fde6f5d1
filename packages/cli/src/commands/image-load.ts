import { resolve } from "node:path";
import { openImages, readConfig, type Flags } from "@sluice/platform";
import { sizeOf } from "../format.ts";

/** Loads the images of an archive into a data directory, and prints their names. */
export async function loadImage(archive: string, flags: Flags, name: string | undefined): Promise<void> {
  const library = await openImages(await readConfig(flags, process.env));
  for (const image of await library.load(resolve(archive), name)) process.stdout.write(`loaded ${image.name} (${sizeOf(image.sizeBytes)})\n`);
}
