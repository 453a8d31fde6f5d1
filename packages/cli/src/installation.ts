import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PlatformOptions } from "@sluice/platform";

/** The version of this installation. */
export function installedVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return version;
}

/** What a platform is told of this installation: its version, its environment, and where its dashboard is, if that is built. */
export function installation(): Pick<PlatformOptions, "version" | "environment"> & { readonly dashboard: string } {
  return { version: installedVersion(), environment: process.env, dashboard: join(dashboardDirectory(), "dist") };
}

/** Where this installation has its dashboard; it is built into `dist`. */
export function dashboardDirectory(): string {
  return fileURLToPath(new URL("../../dashboard", import.meta.url));
}
