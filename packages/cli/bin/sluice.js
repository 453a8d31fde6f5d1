#!/usr/bin/env node
// Plain JavaScript that any Node can read: where this one is too old, the one that npm installed beside Sluice takes over.
import { spawn } from "node:child_process";
import { createRequire, enableCompileCache } from "node:module";
import { constants, homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const FLOOR = 24;

if (Number(process.versions.node.split(".")[0]) >= FLOOR) {
  // node:sqlite is what Sluice stands on; that Node calls it young is no news to a user.
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
  // What Node makes of the source is kept for the next start; where that cannot be, starts take longer.
  enableCompileCache(process.env.NODE_COMPILE_CACHE ?? join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "sluice"));
  await import("../src/main.ts");
} else {
  let node;
  try {
    node = join(createRequire(import.meta.url).resolve("node/package.json"), "..", "bin", "node");
  } catch {
    process.stderr.write(`error: Sluice needs Node ${FLOOR}, and this is ${process.versions.node}\n  fix: npm install node@${FLOOR}\n`);
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  // The terminal sends SIGINT to both; others only reach this process.
  process.on("SIGINT", () => {});
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`error: cannot start ${node}: ${error.message}\n  fix: run npm install again\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}
