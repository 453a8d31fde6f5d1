import type { DebugTarget } from "./debug-pod.ts";

/** Where the program below is, in the environment of a container whose script starts Python. */
const VARIABLE = "SLUICE_DEBUGGER";

/**
 * `python -c PROGRAM <port> <what Python was to run…>`: waits for a debugger, and runs it with a stop at its first statement, or at that of
 * the user's function if it is a component of kfp. The stop is put into what is compiled: no line moves, no file changes.
 */
const PROGRAM = `
import ast, importlib.machinery, importlib.util, os, runpy, sys, sysconfig, types

port, words = int(sys.argv[1]), sys.argv[2:]
libraries = tuple(path + os.sep for path in map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")))


def stopping(source, path, function=None):
    tree = ast.parse(source, path)
    body, line = tree.body, 0
    if function is not None:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = next((node for node in tree.body if isinstance(node, kinds) and node.name == function), None)
        if found is None:
            return tree
        body, line = found.body, found.lineno
    index = 0
    while index < len(body) - 1 and (
        isinstance(body[index], ast.Expr) and isinstance(body[index].value, ast.Constant)
        or isinstance(body[index], ast.ImportFrom) and body[index].module == "__future__"
    ):
        index += 1
    stop = ast.parse("__import__('debugpy').breakpoint()").body[0]
    for node in ast.walk(stop):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
    body.insert(index, stop)
    return tree


def stop_when_loaded(wants, function=None):
    loader = importlib.machinery.SourceFileLoader
    get_code = loader.get_code

    def stopping_code(self, name):
        path = self.get_filename(name)
        if not wants(path):
            return get_code(self, name)
        return compile(stopping(self.get_data(path), path, function), path, "exec", dont_inherit=True)

    loader.get_code = stopping_code


def run_main(source, path, arguments):
    sys.argv = arguments
    main = types.ModuleType("__main__")
    if path != "<string>":
        main.__file__ = path
    sys.modules["__main__"] = main
    exec(compile(stopping(source, path), path, "exec", dont_inherit=True), main.__dict__)


import debugpy

debugpy.listen(("127.0.0.1", port))
print("waiting for a debugger on port %d" % port, file=sys.stderr, flush=True)
debugpy.wait_for_client()
if words[0] == "-m":
    sys.path[0], sys.argv = os.getcwd(), words[1:]
    if words[1].startswith("kfp.") and words[1].endswith(".executor_main"):
        stop_when_loaded(lambda path: not path.startswith(libraries), words[words.index("--function_to_execute") + 1])
    else:
        module = importlib.util.find_spec(words[1])
        if module is not None and module.submodule_search_locations is not None:
            module = importlib.util.find_spec(words[1] + ".__main__")
        if module is not None:
            stop_when_loaded(lambda path: path == module.origin)
    runpy.run_module(words[1], run_name="__main__", alter_sys=True)
elif words[0] == "-c":
    run_main(words[1], "<string>", ["-c", *words[2:]])
else:
    sys.path[0] = os.path.dirname(os.path.abspath(words[0]))
    with open(words[0], "rb") as file:
        run_main(file.read(), words[0], words)
`;

/** How kfp's SDK starts the function of a component, whatever its version. */
const EXECUTOR = /\bpython3?(?= +-m +kfp[\w.]*\.executor_main\b)/u;
const INDEXES = /--(?:index-url|extra-index-url|trusted-host)[= ]\S+/gu;
/** Python's options that take the next word. */
const VALUED: ReadonlySet<string> = new Set(["-W", "-X", "--check-hash-based-pycs"]);

/** A command line that starts Python, as one that waits for a debugger; undefined for any other. */
export function pythonTarget(line: readonly string[], port: number): DebugTarget | undefined {
  const [program = ""] = line;
  if (/(?:^|\/)python[\d.]*$/u.test(program)) return plainTarget(line, port);
  if (!/(?:^|\/)(?:ba|da|a)?sh$/u.test(program)) return undefined;
  const index = line.findIndex((word) => EXECUTOR.test(word));
  const script = line[index];
  if (script === undefined) return undefined;
  const patched = line.with(
    index,
    script.replace(EXECUTOR, (python) => `${python} -c "$${VARIABLE}" ${port}`),
  );
  const stopsIn = line[line.indexOf("--function_to_execute") + 1];
  return {
    debugger: { kind: "python", port, ...(stopsIn === undefined ? {} : { stopsIn }) },
    command: withDebugpy(patched, index),
    env: [{ name: VARIABLE, value: PROGRAM }],
  };
}

function plainTarget([program = "", ...rest]: readonly string[], port: number): DebugTarget | undefined {
  let start = 0;
  while (rest[start]?.startsWith("-") === true && !["-", "-c", "-m"].includes(rest[start] ?? "")) start += VALUED.has(rest[start] ?? "") ? 2 : 1;
  const [what, ...words] = rest.slice(start);
  if (what === undefined || what === "-" || (what.startsWith("-") && words.length === 0)) return undefined;
  const name = words[words.indexOf("--function_to_execute") + 1];
  const isComponent = what === "-m" && /^kfp[\w.]*\.executor_main$/u.test(words[0] ?? "") && name !== undefined;
  const install = `${pipInstall(program, "")} && exec "$0" "$@"`;
  return {
    debugger: { kind: "python", port, ...(isComponent ? { stopsIn: name } : {}) },
    command: ["sh", "-c", install, program, ...rest.slice(0, start), "-c", PROGRAM, String(port), ...rest.slice(start)],
    env: [],
  };
}

/** The script that installs a component's packages ends in the words that start it; without such a script, the component's own begins it. */
function withDebugpy(line: readonly string[], component: number): readonly string[] {
  const install = line.findIndex((word, index) => index < component && word.includes("pip install") && /"\$0" "\$@"\s*$/u.test(word));
  const script = line[install] ?? line[component] ?? "";
  const options = [...new Set(script.match(INDEXES) ?? [])].join(" ");
  const pip = pipInstall("python3", options);
  return install < 0
    ? line.with(component, `${pip}\n${script}`)
    : line.with(
        install,
        script.replace(/"\$0" "\$@"\s*$/u, () => `${pip} && "$0" "$@"\n`),
      );
}

function pipInstall(python: string, options: string): string {
  return `${python} -m pip install --quiet --no-warn-script-location --disable-pip-version-check ${options === "" ? "" : `${options} `}debugpy`;
}
