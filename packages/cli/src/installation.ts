import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The version of this installation. */
export function installedVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return version;
}

/** What a platform is told of this installation: its version, and where its dashboard is, if that is built. */
export function installation(): { readonly version: string; readonly dashboard: string } {
  return { version: installedVersion(), dashboard: fileURLToPath(new URL("../../dashboard/dist", import.meta.url)) };
}
