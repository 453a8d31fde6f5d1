import { openImages, readConfig, type Flags } from "@sluice/platform";
import { sizeOf } from "../format.ts";
import { table } from "../text.ts";

/** Prints the images of a data directory. */
export async function listImages(flags: Flags): Promise<void> {
  const config = await readConfig(flags, process.env);
  const images = (await openImages(config)).list();
  if (images.length === 0) {
    process.stdout.write(`no images in ${config.dataDir}; load one with: sluice image load <archive>\n`);
    return;
  }
  const rows = images.map(({ name, digest, sizeBytes }) => [name, digest.slice(0, "sha256:".length + 12), sizeOf(sizeBytes)]);
  process.stdout.write(`${table([["NAME", "DIGEST", "SIZE"], ...rows])}\n`);
}
