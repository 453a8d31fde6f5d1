import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The version of this installation. */
export function installedVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };
  return version;
}

/** Where this installation has its dashboard; it is built into `dist`. */
export function dashboardDirectory(): string {
  return fileURLToPath(new URL("../../dashboard", import.meta.url));
}
