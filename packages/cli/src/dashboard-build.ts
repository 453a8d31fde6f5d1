import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

/** What its look depends on, in its directory. */
const SOURCES = ["src", "public", "index.html", "vite.config.ts", "package.json"];

/**
 * Builds the dashboard in `directory` if it is older than its source, as after cloning or pulling; `say` hears of it. An installation
 * without source or without Vite has nothing to build. Resolves with what went wrong, if anything did: Sluice works without a page.
 */
export async function buildDashboard(directory: string, say: (line: string) => void): Promise<string | undefined> {
  if (!existsSync(join(directory, "src")) || !(await isStale(directory))) return undefined;
  let vite: string;
  try {
    vite = createRequire(join(directory, "package.json")).resolve("vite/package.json");
  } catch {
    return undefined; // Installed without development dependencies: the page that stands in for the dashboard says what to do.
  }
  say("building the dashboard, as its source is new …");
  const child = spawn(process.execPath, [join(dirname(vite), "bin", "vite.js"), "build", directory, "--logLevel", "error"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  try {
    const [code, errors] = await Promise.all([ended, text(child.stderr)]);
    return code === 0 ? undefined : errors.trim() || `vite ended with code ${code}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function isStale(directory: string): Promise<boolean> {
  const built = await stat(join(directory, "dist", "index.html")).catch(() => undefined);
  return built === undefined || (await newest(SOURCES.map((name) => join(directory, name)))) > built.mtimeMs;
}

/** When the youngest file of these, and of what is in them, was written. */
async function newest(paths: readonly string[]): Promise<number> {
  const times = await Promise.all(
    paths.map(async (path) => {
      const info = await stat(path).catch(() => undefined);
      if (info?.isDirectory() !== true) return info?.mtimeMs ?? 0;
      return newest((await readdir(path)).map((name) => join(path, name)));
    }),
  );
  return Math.max(0, ...times);
}
