import { join } from "node:path";
import type { ImageLibrary } from "@sluice/cluster";
import type { Config } from "./config.ts";

/** The images that containers run, in the data directory; whether Sluice runs on it makes no difference. */
export async function openImages({ dataDir }: Pick<Config, "dataDir">): Promise<ImageLibrary> {
  const { openImageLibrary } = await import("@sluice/cluster");
  return openImageLibrary(join(dataDir, "images"));
}
