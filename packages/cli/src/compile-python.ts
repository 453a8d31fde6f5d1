import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UserError } from "@sluice/kubernetes";
import type { LoadOptions } from "./load-pipeline.ts";

/** The exit code by which the program below says that its one line of output is a message for the user. */
const REFUSED = 3;
/** A compiled pipeline holds the source of all its components. */
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Compiles the pipeline of a file with the kfp that is there: `python -c COMPILE <file> <name of the pipeline or nothing>`. What the file
 * itself prints must not get between the lines of the result.
 */
const COMPILE = `
import contextlib, importlib.util, os, sys, tempfile

path, wanted = sys.argv[1], sys.argv[2]


def refuse(message):
    print(message)
    sys.exit(${REFUSED})


if importlib.util.find_spec("kfp") is None:
    refuse("kfp")
sys.path.insert(0, os.path.dirname(path))
sys.argv = [path]
with contextlib.redirect_stdout(sys.stderr):
    from kfp import compiler
    from kfp.dsl import base_component, graph_component

    spec = importlib.util.spec_from_file_location(os.path.basename(path)[: -len(".py")], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
components = {name: value for name, value in vars(module).items() if isinstance(value, base_component.BaseComponent)}
pipelines = {name: value for name, value in components.items() if isinstance(value, graph_component.GraphComponent)}
candidates = pipelines or components
if wanted:
    if wanted not in components:
        refuse("has no pipeline %s; it has %s" % (wanted, ", ".join(candidates) or "none"))
    candidates = {wanted: components[wanted]}
if len(candidates) != 1:
    refuse("defines several pipelines: %s" % ", ".join(candidates) if candidates else "defines no pipeline: decorate a function with @dsl.pipeline")
with tempfile.TemporaryDirectory() as directory:
    package = os.path.join(directory, "pipeline.yaml")
    with contextlib.redirect_stdout(sys.stderr):
        compiler.Compiler().compile(next(iter(candidates.values())), package)
    with open(package) as file:
        sys.stdout.write(file.read())
`;

/** Compiles a Python file's pipeline, with the Python of its surroundings. */
export async function compilePython(file: string, { pipeline = "", python = pythonFor(file) }: LoadOptions): Promise<string> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UserError(`there is no file ${file}`);
  const { code, stdout, stderr } = await run(python, ["-c", COMPILE, path, pipeline]);
  if (code === 0) return stdout;
  const said = stdout.trim();
  if (code === REFUSED && said === "kfp") {
    throw new UserError(`${python} has no kfp, which compiles ${file}`, {
      fix: `${python} -m pip install kfp, or name a Python that has it: --python <program>`,
    });
  }
  if (code === REFUSED) throw new UserError(`${file} ${said}`, said.includes("several") ? { fix: "name one: --pipeline <name>" } : {});
  throw new UserError(`${file} does not compile:\n${stderr.trim()}`);
}

/** The Python of the active virtual environment, else of one beside the file, else the one on the path. */
function pythonFor(file: string): string {
  const environments = [process.env["VIRTUAL_ENV"], process.env["CONDA_PREFIX"], join(dirname(resolve(file)), ".venv"), resolve(".venv")];
  const found = environments
    .map((home) => (home === undefined ? "" : join(home, "bin/python")))
    .find((program) => program !== "" && existsSync(program));
  return found ?? "python3";
}

function run(program: string, args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((done, fail) => {
    execFile(program, args, { maxBuffer: MAX_BYTES, env: { ...process.env, PYTHONWARNINGS: "ignore" } }, (error, stdout, stderr) => {
      if (error === null) return done({ code: 0, stdout, stderr });
      if (typeof error.code === "number") return done({ code: error.code, stdout, stderr });
      fail(
        error.code === "ENOENT"
          ? new UserError(`cannot compile a Python file: there is no program ${program}`, {
              fix: "install Python and kfp, or name a Python: --python <program>",
            })
          : error,
      );
    });
  });
}
