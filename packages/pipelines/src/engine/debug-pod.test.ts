import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { heldCommand } from "./debug-pause.ts";
import { DEBUG_LABEL, debugPodOf, type DebugPod, type DebugPodOptions } from "./debug-pod.ts";
import type { PodManifest } from "./pod-types.ts";

const OPTIONS: DebugPodOptions = { name: "debug-x", runId: "r", taskId: "t", port: 20_001, isShell: false, hasLostWorkspace: false };

function pod(command: readonly string[] | undefined, args?: readonly string[]): PodManifest {
  const words = { ...(command === undefined ? {} : { command }), ...(args === undefined ? {} : { args }) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      namespace: "ns",
      labels: { team: "a", "pipeline/runid": "r", [`pipelines.sluice.dev/task-id`]: "t", "pipelines.sluice.dev/attempt": "0" },
    },
    spec: {
      restartPolicy: "Never",
      serviceAccountName: "runner",
      initContainers: ["fetch", "publish", "own"].map((name) => ({ name, image: "i" })),
      containers: [{ name: "main", image: "img", ...words, env: [{ name: "A", value: "1" }], resources: { limits: { cpu: "1" } } }],
      volumes: [{ name: "kfp-workspace", persistentVolumeClaim: { claimName: "r-kfp-workspace" } }],
    },
  };
}

function debug(command?: readonly string[], args?: readonly string[], options: Partial<DebugPodOptions> = {}): DebugPod {
  return debugPodOf(pod(command, args), { ...OPTIONS, ...options });
}

const commandOf = ({ pod: { spec } }: DebugPod): readonly string[] => spec.containers[0]?.command ?? [];

const EXECUTE =
  'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/c.py"\n_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/c.py" "$@"\n';
const ARGS = ["--executor_input", "{}", "--function_to_execute", "train"];

test("a debug pod is the task's in all but what makes it an attempt", () => {
  const { pod: made } = debug(["python3", "x.py"]);
  expect(made.metadata).toEqual({ name: "debug-x", namespace: "ns", labels: { team: "a", [DEBUG_LABEL]: "t" } });
  expect(made.spec).toMatchObject({ ...pod(undefined).spec, initContainers: [{ name: "fetch" }, { name: "own" }], activeDeadlineSeconds: 28_800 });
  expect(made.spec.containers[0]).toMatchObject({ image: "img", env: [{ name: "A" }], resources: { limits: { cpu: "1" } } });
  expect(debug(["python3", "x.py"], [], { hasLostWorkspace: true }).pod.spec.volumes).toEqual([{ name: "kfp-workspace", emptyDir: {} }]);
});

test("a component of kfp waits for debugpy, which is installed with its other packages", () => {
  const install = '\nPIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --index-url https://i/simple kfp==2 && "$0" "$@"\n';
  const made = debug(["sh", "-c", install, "sh", "-ec", EXECUTE, "def train(): ..."], ARGS);
  expect(made.debugger).toEqual({ kind: "python", port: 20_001, stopsIn: "train" });
  const [, , script, , , execute, source, ...args] = commandOf(made);
  expect(script).toContain(
    'kfp==2 && python3 -m pip install --quiet --no-warn-script-location --disable-pip-version-check --index-url https://i/simple debugpy && "$0" "$@"\n',
  );
  expect(execute).toContain('python3 -c "$SLUICE_DEBUGGER" 20001 -m kfp.dsl.executor_main --component');
  expect([source, ...args]).toEqual(["def train(): ...", ...ARGS]);
  expect(made.pod.spec.containers[0]?.env).toMatchObject([{ name: "A" }, { name: "SLUICE_DEBUGGER" }]);
});

test("without packages of its own a component installs debugpy itself, and a pause is none", () => {
  const paused = heldCommand(["sh", "-ec", EXECUTE, "source"], [{ name: "ARGO_DEBUG_PAUSE_AFTER", value: "true" }], {
    directory: "/d",
    namespace: "ns",
  });
  const [program, option, script, ...rest] = commandOf(debug(paused, ARGS));
  expect([program, option, ...rest]).toEqual(["sh", "-ec", "source", ...ARGS]);
  expect(script).toMatch(/^python3 -m pip install [^\n]* debugpy\nprogram_path/u);
});

test.each([
  [
    ["python3", "-u", "-W", "ignore", "train.py", "--lr", "1"],
    ["python3", "-u", "-W", "ignore", "-c"],
    ["20001", "train.py", "--lr", "1"],
  ],
  [
    ["/venv/bin/python3.12", "-m", "train", "-c"],
    ["/venv/bin/python3.12", "-c"],
    ["20001", "-m", "train", "-c"],
  ],
])("Python waits before it runs %j", (line, before, after) => {
  const [, , install, ...words] = commandOf(debug(line));
  expect(install).toContain(`${line[0]} -m pip install`);
  expect(words.slice(0, before.length)).toEqual(before);
  expect(words.slice(before.length + 1)).toEqual(after);
});

test("Node waits before it runs anything", () => {
  expect(commandOf(debug(["node", "x.js"], ["y"]))).toEqual(["node", "--inspect-brk=127.0.0.1:20001", "x.js", "y"]);
});

test.each([
  ["({ inputs: { a, b = {} } }) => { return a; }", "({ inputs: { a, b = {} } }) => {debugger; return a; }"],
  ["async function f({ inputs }) {\n  return {};\n}", "async function f({ inputs }) {debugger;\n  return {};\n}"],
  ["({ run(c) { return c; } }).run", "({ run(c) {debugger; return c; } }).run"],
])("a function of the TypeScript SDK stops where it begins: %s", (source, stopping) => {
  const file = `export const lists = [];\nexport const run = ${source};\n`;
  for (const text of [file, JSON.stringify(file)]) {
    const made = debug(["node", "--input-type=module", "-e", "PROGRAM", "package.json", "{}", "component.js", text], ["{}"]);
    expect(made.debugger).toMatchObject({ kind: "node", stopsIn: "run" });
    const written = commandOf(made)[8] ?? "";
    expect(text.startsWith('"') ? JSON.parse(written) : written).toBe(file.replace(source, stopping));
  }
});

test("an expression has nowhere to stop, so its file does", () => {
  const made = debug(["node", "--input-type=module", "-e", "P", "component.js", "export const run = (c) => c;\n"]);
  expect(made.debugger).toEqual({ kind: "node", port: 20_001 });
  expect(commandOf(made)[6]).toBe("debugger;export const run = (c) => c;\n");
});

test.each([[undefined], [["sh", "-c", "python3 x.py"]], [["python3"]], [["python3", "-"]], [["java", "-jar", "x"]]])(
  "%j has no debugger, but a shell",
  (line) => {
    expect(() => debug(line)).toThrow(/^there is no debugger for /u);
    expect(debug(line, [], { isShell: true }).debugger).toEqual({ kind: "shell", script: "/tmp/run-step" });
  },
);

test("the script in a shell's pod runs the words that the task has", () => {
  const made = debug(["sh", "-c", `printf "<%s>" "$@"`, "x"], ["it's", "$$HOME", "two\nlines"], { isShell: true });
  expect(made.commandLine).toEqual(["sh", "-c", `printf "<%s>" "$@"`, "x", "it's", "$HOME", "two\nlines"]);
  const script = commandOf(made).at(-1)?.replaceAll("$$", "$") ?? "";
  expect(execFileSync("sh", ["-c", script]).toString()).toBe("<it's><$HOME><two\nlines>");
});
