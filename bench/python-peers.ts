import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { temporaryDirectory } from "./server.ts";

/** What a peer is to do with steps that run a program which does nothing. */
export type Shape = "chain" | "fan";

/** Another program that runs pipelines, as it is installed here. */
export interface Peer {
  readonly name: string;
  /** How many steps of each shape are enough to tell its speed. */
  readonly steps: Readonly<Record<Shape, number>>;
  /** Its command line. */
  readonly run: (shape: Shape, steps: number) => readonly string[];
  /** As `run`, where all has been done before; absent if it remembers nothing. */
  readonly again?: (shape: Shape, steps: number) => readonly string[];
}

const SOURCES = join(import.meta.dirname, "peers");
const HOME = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "sluice/bench-peers");
const BIN = join(HOME, "bin");

const metaflow = (shape: Shape, verb: "run" | "resume"): readonly string[] => [
  ...["python", join(SOURCES, `metaflow_${shape}.py`), "--quiet", verb],
  ...["--max-workers", "2"],
];
const snakemake = (shape: Shape, steps: number): readonly string[] => [
  ...["snakemake", "--snakefile", join(SOURCES, "Snakefile"), "--cores", "2", "--quiet", "all"],
  ...["--config", `shape=${shape}`, `steps=${steps}`],
];
const luigi = (shape: Shape, steps: number): readonly string[] => [
  ...["luigi", "--module", "luigi_steps", shape === "chain" ? "Chain" : "Fan", "--steps", String(steps)],
  ...["--local-scheduler", "--workers", "2", "--log-level", "ERROR"],
];

/** The peers, each as fast as it goes on two processors. */
export const peers: readonly Peer[] = [
  { name: "Metaflow", steps: { chain: 5, fan: 10 }, run: (shape) => metaflow(shape, "run"), again: (shape) => metaflow(shape, "resume") },
  { name: "Snakemake", steps: { chain: 20, fan: 40 }, run: snakemake, again: snakemake },
  { name: "Luigi", steps: { chain: 40, fan: 80 }, run: luigi, again: luigi },
  { name: "kfp.local", steps: { chain: 6, fan: 6 }, run: (shape, steps) => ["python", join(SOURCES, "kfp_local.py"), shape, String(steps)] },
];

/** How long a peer takes, in milliseconds: for a run, and for the same once more. */
export function timePeer({ steps, run, again }: Peer, shape: Shape): { readonly first: number; readonly again: number | undefined } {
  using directory = temporaryDirectory();
  const count = steps[shape];
  const time = (argv: readonly string[]): number => {
    const started = performance.now();
    const [program = "", ...args] = argv;
    const { status, stderr, stdout } = spawnSync(join(BIN, program), args, {
      cwd: directory.path,
      encoding: "utf8",
      env: {
        ...process.env,
        PATH: `${BIN}:${process.env["PATH"] ?? ""}`,
        PYTHONPATH: SOURCES,
        PYTHONDONTWRITEBYTECODE: "1",
        STEPS: String(count),
        METAFLOW_USER: "bench",
        METAFLOW_HOME: directory.path,
        METAFLOW_DATASTORE_SYSROOT_LOCAL: directory.path,
        XDG_CACHE_HOME: directory.path,
      },
    });
    if (status !== 0) throw new Error(`${argv.join(" ")} ended with ${String(status)}:\n${stdout.slice(-2000)}${stderr.slice(-2000)}`);
    return performance.now() - started;
  };
  return { first: time(run(shape, count)), again: again === undefined ? undefined : time(again(shape, count)) };
}

/** Installs the peers once into the user's cache; why that is not possible, if it is not. */
export function installPeers(): string | undefined {
  const requirements = join(SOURCES, "requirements.txt");
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const marker = join(HOME, "requirements.sha256");
  if (existsSync(marker) && readFileSync(marker, "utf8") === wanted) return undefined;
  if (spawnSync("python3", ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))"]).status !== 0)
    return "Python 3.10 or newer with venv is not installed: apt-get install python3 python3-venv";
  process.stdout.write(`setting up Metaflow, Snakemake, Luigi and kfp in ${HOME} …\n`);
  rmSync(HOME, { recursive: true, force: true });
  mkdirSync(HOME, { recursive: true });
  try {
    execFileSync("python3", ["-m", "venv", HOME], { stdio: "inherit" });
    execFileSync(join(BIN, "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], { stdio: "inherit" });
  } catch (error) {
    return `the peers cannot be installed: ${error instanceof Error ? error.message : String(error)}`;
  }
  writeFileSync(marker, wanted);
  return undefined;
}
