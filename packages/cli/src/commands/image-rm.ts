import { openImages, readConfig, type Flags } from "@sluice/platform";

/** Removes images from a data directory. */
export async function removeImages(names: readonly string[], flags: Flags): Promise<void> {
  const library = await openImages(await readConfig(flags, process.env));
  for (const name of names) process.stdout.write(`removed ${await library.remove(name)}\n`);
}
