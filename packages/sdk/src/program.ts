import { UserError } from "@sluice/kubernetes";

/** Linux takes no longer single argument. */
const MAX_ARGUMENT_BYTES = 128 * 1024 - 1;

/** What a function component's container needs beside Node. */
export interface FunctionSource {
  readonly run: (context: never) => unknown;
  /** The inputs that are lists of artifacts. */
  readonly lists: readonly string[];
  /** Modules that the function imports by `./name`, by that name. */
  readonly files: Readonly<Record<string, string>>;
  /** npm packages that it imports, `name@version`. */
  readonly packages: readonly string[];
}

/** The command of a function component: a program for Node, and the files that it lays out as a small package and runs. */
export function functionCommand(name: string, { run, lists, files, packages }: FunctionSource): string[] {
  const source = sourceOf(name, run);
  for (const [whole, file = ""] of source.matchAll(/\bimport\(\s*["']\.\/([^"']+)["']/gu)) {
    if (files[file] === undefined)
      throw new UserError(`${name}: run has ${whole}), and the file does not travel with it`, {
        fix: `add it to files: [new URL("./${file}", import.meta.url)]`,
      });
  }
  const dependencies = Object.fromEntries(packages.map((each) => exactly(name, each)));
  const all = {
    "package.json": JSON.stringify({ private: true, type: "module", dependencies }),
    "component.js": `export const lists = ${JSON.stringify(lists)};\nexport const run = ${source};\n`,
    ...files,
  };
  const words = Object.entries(all).flatMap(([file, text]) => [file, portable(text)]);
  const long = words.find((word) => new TextEncoder().encode(word).length > MAX_ARGUMENT_BYTES);
  if (long !== undefined)
    throw new UserError(`${name}: a file of ${long.length} characters is too long for a command line`, {
      fix: "pass it as an artifact, or put it into the image",
    });
  return ["node", "--input-type=module", "-e", PROGRAM, ...words];
}

function sourceOf(name: string, run: (context: never) => unknown): string {
  const text = run.toString();
  if (text.includes("[native code]"))
    throw new UserError(`${name}: run has no source to send`, { fix: "pass a plain function, not a bound or built-in one" });
  const source = [text, `({ ${text} }).${run.name}`].find(parses);
  if (source === undefined) throw new UserError(`${name}: run's source cannot be sent`, { fix: "pass an arrow function" });
  if (/__vite_ssr_|__vi_import/u.test(source))
    throw new UserError(`${name}: run refers to an import outside itself`, { fix: "import inside the function with await import()" });
  return source;
}

function parses(source: string): boolean {
  try {
    // Only parsed, never called.
    // oxlint-disable-next-line typescript/no-implied-eval
    return typeof new Function(`return (${source})`) === "function";
  } catch {
    return false;
  }
}

/** Only an exact version means the same tomorrow, as the cache takes for granted. */
function exactly(name: string, wanted: string): [string, string] {
  const [, dependency = "", version = ""] = /^(@?[^@]+)@(\d+\.\d+\.\d+\S*)$/u.exec(wanted) ?? [];
  if (dependency === "") throw new UserError(`${name}: package "${wanted}" has no exact version`, { fix: 'write it as "name@1.2.3"' });
  return [dependency, version];
}

/** Kubernetes rewrites `$(` and `$$` in commands, and a pipeline's launcher `{{$`; such text travels as a JSON string without them. */
function portable(text: string): string {
  return /\$\$|\$\(|\{\{\$|^"/u.test(text) ? JSON.stringify(text).replaceAll("$", "\\u0024") : text;
}

/**
 * Lays out the package, finds its dependencies beside this Node or on `NODE_PATH`, else has npm fetch them, and calls the
 * function. An error shows its message and where in the author's own files it arose.
 */
const PROGRAM = `import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const words = process.argv.slice(1);
const input = JSON.parse(words.pop());
const home = mkdtempSync(join(tmpdir(), "component-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
const files = Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]]] : [])));
for (const [name, text] of Object.entries(files)) writeFileSync(join(home, name), text.startsWith('"') ? JSON.parse(text) : text);

const versionIn = (directory) => {
  try {
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")).version;
  } catch {
    return undefined;
  }
};
const bringPackages = () => {
  const places = createRequire(process.execPath).resolve.paths("x") ?? [];
  const wanted = Object.entries(JSON.parse(readFileSync(join(home, "package.json"), "utf8")).dependencies);
  const found = wanted.map(([name, version]) => [name, places.map((place) => join(place, name)).find((place) => versionIn(place) === version)]);
  const missing = wanted.filter((_, i) => found[i][1] === undefined).map((each) => each.join("@"));
  if (missing.length === 0) {
    for (const [name, place] of found) {
      mkdirSync(dirname(join(home, "node_modules", name)), { recursive: true });
      symlinkSync(place, join(home, "node_modules", name));
    }
    return;
  }
  const npm = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--cache", join(home, ".npm")];
  const { status } = spawnSync("npm", npm, { cwd: home, stdio: "inherit" });
  if (status !== 0) throw new Error("the image does not have " + missing.join(", ") + (status === null ? ", nor npm to install it" : ", and npm cannot install it"));
};

const root = process.env.SLUICE_ARTIFACT_ROOT ?? "";
const pathOf = (uri) => uri.replace(/^(minio|s3|gs|oci):[/][/]/, (_, scheme) => root + "/" + (scheme === "gs" ? "gcs" : scheme) + "/");
const artifactOf = ({ name = "", uri = "", customPath, metadata = {} }) => ({ name, uri, path: customPath ?? pathOf(uri), metadata });
try {
  bringPackages();
  const { lists, run } = await import(pathToFileURL(join(home, "component.js")).href);
  const { parameterValues: parameters = {}, artifacts = {} } = input.inputs ?? {};
  const inputs = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== null));
  for (const [key, { artifacts: all = [] }] of Object.entries(artifacts)) inputs[key] = lists.includes(key) ? all.map(artifactOf) : all[0] && artifactOf(all[0]);
  const given = Object.entries(input.outputs?.artifacts ?? {}).map(([key, { artifacts: [artifact] }]) => [key, artifact]);
  const outputs = Object.fromEntries(given.map(([key, artifact]) => [key, artifactOf(artifact)]));
  for (const { path } of Object.values(outputs)) mkdirSync(dirname(path), { recursive: true });
  const result = (await run({ inputs, outputs })) ?? {};
  const names = Object.keys(input.outputs?.parameters ?? {});
  for (const name of names) if (result[name] === undefined) throw new Error("the function did not return its output " + JSON.stringify(name));
  const answer = {
    parameterValues: Object.fromEntries(names.map((name) => [name, result[name]])),
    artifacts: Object.fromEntries(given.map(([key, artifact]) => [key, { artifacts: [{ ...artifact, uri: outputs[key].uri, metadata: outputs[key].metadata }] }])),
  };
  mkdirSync(dirname(input.outputs.outputFile), { recursive: true });
  const finite = (key, value) => {
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error("output " + JSON.stringify(key) + " is " + value + ", which no output can be");
    return value;
  };
  writeFileSync(input.outputs.outputFile, JSON.stringify(answer, finite));
} catch (error) {
  const lines = inspect(error).replaceAll(pathToFileURL(home).href + "/", "").split("\\n");
  console.error(lines.filter((line) => !/^ +at .*(node:|\\[eval|<anonymous>[)]$)/.test(line)).join("\\n"));
  process.exitCode = 1;
}
`;
