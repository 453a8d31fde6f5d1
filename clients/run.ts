/** Runs kubectl and the real Python and JavaScript clients against a Sluice of their own: `npm run test:clients [-- pytest arguments]`. */
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findRunning } from "@sluice/platform";
import { ensureKubectl } from "./kubectl.ts";

const here = import.meta.dirname;
const cache = join(here, "../.venv");
const requirements = join(here, "requirements.txt");
const vitest = join(here, "../node_modules/vitest/vitest.mjs");
const vitestConfig = join(here, "../vitest.clients.config.ts");
const sluice = join(here, "../packages/cli/bin/sluice.js");

function ensurePython(): string {
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const python = join(cache, "bin/python");
  const marker = join(cache, "requirements.sha256");
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return python;
  const found = spawnSync("python3", ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"]);
  if (found.status !== 0) {
    process.stderr.write("error: Python 3.10 or newer with venv is needed\n  fix: apt-get install python3 python3-venv\n");
    process.exit(1);
  }
  process.stdout.write("setting up Python packages in .venv …\n");
  rmSync(cache, { recursive: true, force: true });
  execFileSync("python3", ["-m", "venv", cache], { stdio: "inherit" });
  execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], { stdio: "inherit" });
  writeFileSync(marker, wanted);
  return python;
}

const python = ensurePython();
const kubectl = ensureKubectl(join(cache, "bin"));
const dataDir = mkdtempSync(join(tmpdir(), "sluice-clients-"));
mkdirSync(dataDir, { recursive: true });
let failed = true;
try {
  execFileSync(process.execPath, [sluice, "up", "--detach", "--data-dir", dataDir, "--port", "0", "--api-port", "0"], { stdio: "inherit" });
  const running = await findRunning(dataDir);
  if (running?.url === undefined || running.kubeconfig === undefined) throw new Error("Sluice is not running");
  const env = {
    ...process.env,
    SLUICE_URL: running.url,
    KUBECONFIG: running.kubeconfig,
    KUBECTL: kubectl,
    NODE: process.execPath,
    PYTHONDONTWRITEBYTECODE: "1",
  };
  const chosen = process.argv.slice(2);
  const isPart = chosen.length > 0;
  const where = chosen.some((word) => existsSync(word.split("::")[0] ?? "")) ? [] : [here];
  const { status } = spawnSync(
    python,
    ["-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore::FutureWarning", "-n", "4", "-q", ...where, ...chosen],
    { stdio: "inherit", env },
  );
  failed =
    status !== 0 || (!isPart && spawnSync(process.execPath, [vitest, "run", "--config", vitestConfig], { stdio: "inherit", env }).status !== 0);
} finally {
  spawnSync(process.execPath, [sluice, "down", "--data-dir", dataDir], { stdio: "inherit" });
  if (failed) process.stdout.write(`the data directory of the failed run: ${dataDir}\n`);
  else rmSync(dataDir, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
