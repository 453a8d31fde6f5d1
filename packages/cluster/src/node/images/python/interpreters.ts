import { readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { runProgram } from "../../sandbox/run-program.ts";

/** The environment variables of this program. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A Python of this machine, never a virtual environment nor a shim. */
export interface PythonInterpreter {
  /** The real program. */
  readonly program: string;
  /** Its installation, e.g. `/usr`. */
  readonly prefix: string;
  /** E.g. `[3, 11, 7]`. */
  readonly version: readonly [major: number, minor: number, patch: number];
  /** It can make virtual environments that have pip. */
  readonly hasPip: boolean;
}

/** The oldest Python that today's kfp runs on; an older one is taken only where the image itself asks for it. */
const OLDEST_MINOR = 9;
/** Any newer Python is nearer than an older one. */
const TOO_OLD = 1000;

/**
 * The interpreter that stands in for `python:<version>`: the same minor version, else the nearest newer one, else the nearest
 * older one. Without a version, the newest.
 */
export function choosePython(all: readonly PythonInterpreter[], version: string | undefined): PythonInterpreter | undefined {
  const wanted = /^3\.(\d+)/u.exec(version ?? "")?.[1];
  // Without a version all are equally far.
  const minor = wanted === undefined ? Infinity : Number(wanted);
  const distance = (own: number): number => (own >= minor ? own - minor : TOO_OLD + minor - own);
  return all
    .filter((python) => python.hasPip && python.version[0] === 3 && (python.version[1] === minor || python.version[1] >= OLDEST_MINOR))
    .sort((a, b) => distance(a.version[1]) - distance(b.version[1]) || b.version[1] - a.version[1] || b.version[2] - a.version[2])[0];
}

const PROBE = `
import sys, os, json, glob, importlib.util
found = lambda name: importlib.util.find_spec(name) is not None
bundled = os.path.join(os.path.dirname(importlib.util.find_spec("ensurepip").origin), "_bundled") if found("ensurepip") else ""
wheels = glob.glob(os.path.join(bundled, "pip-*.whl")) + glob.glob("/usr/share/python-wheels/pip-*.whl") if bundled else []
print(json.dumps({
  "program": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
  "prefix": sys.base_prefix, "version": list(sys.version_info[:3]), "hasPip": found("venv") and bool(wheels),
}))`;

/** Finds the Pythons of this machine: on the `PATH` of `environment`, and where pyenv, uv and Homebrew put them. */
export async function findPythons(environment: Environment): Promise<readonly PythonInterpreter[]> {
  const candidates = [...new Set([...programsOn(environment["PATH"] ?? ""), ...installed(environment)])];
  const found = await Promise.all(candidates.map(probe));
  const byProgram = new Map(found.flatMap((python) => (python === undefined ? [] : [[python.program, python] as const])));
  return [...byProgram.values()];
}

async function probe(program: string): Promise<PythonInterpreter | undefined> {
  const { code, stdout } = await runProgram([program, "-I", "-c", PROBE]);
  // A shim without a version behind it, a broken installation: not a Python that can be used.
  if (code !== 0) return undefined;
  return JSON.parse(stdout) as PythonInterpreter;
}

function programsOn(path: string): readonly string[] {
  const directories = [...path.split(":"), "/usr/local/bin", "/usr/bin"].filter((directory) => directory !== "" && !directory.includes("/shims"));
  return directories.flatMap((directory) => pythonsIn(directory));
}

function installed({ HOME: home = "/", PYENV_ROOT: pyenv = join(home, ".pyenv") }: Environment): readonly string[] {
  const roots = [join(pyenv, "versions"), join(home, ".local/share/uv/python"), "/opt/homebrew/Cellar/python"];
  return roots.flatMap((root) => list(root).flatMap((version) => pythonsIn(join(root, version, "bin"))));
}

function pythonsIn(directory: string): readonly string[] {
  return list(directory)
    .filter((name) => /^python3(?:\.\d+)?$/u.test(name))
    .flatMap((name) => {
      try {
        return [realpathSync(join(directory, name))];
      } catch {
        // A link to nowhere.
        return [];
      }
    });
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    // No such directory here.
    return [];
  }
}
