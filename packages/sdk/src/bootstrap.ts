import { UserError } from "@sluice/kubernetes";

function parses(source: string): boolean {
  try {
    return typeof new Function(`return (${source})`) === "function";
  } catch {
    return false;
  }
}

const runtime = `
const input = JSON.parse(process.argv[1]);
const root = process.env.SLUICE_ARTIFACT_ROOT ?? "";
const toPath = (uri) => {
  const match = /^(minio|s3|gs|oci):[/][/](.*)/s.exec(uri);
  return match === null ? uri : root + "/" + (match[1] === "gs" ? "gcs" : match[1]) + "/" + match[2];
};
const toArtifact = (a) => ({ name: a.name ?? "", uri: a.uri ?? "", path: a.customPath ?? toPath(a.uri ?? ""), metadata: a.metadata ?? {} });
const inputs = {};
for (const [key, value] of Object.entries(input.inputs?.parameterValues ?? {})) if (value !== null) inputs[key] = value;
for (const [key, value] of Object.entries(input.inputs?.artifacts ?? {})) {
  const all = (value.artifacts ?? []).map(toArtifact);
  inputs[key] = lists.includes(key) ? all : all[0];
}
const outputs = {};
for (const [key, value] of Object.entries(input.outputs?.artifacts ?? {})) {
  outputs[key] = toArtifact(value.artifacts[0]);
  mkdirSync(dirname(outputs[key].path), { recursive: true });
}
const result = (await run({ inputs, outputs })) ?? {};
const parameterValues = {};
for (const key of Object.keys(input.outputs?.parameters ?? {})) {
  if (result[key] === undefined) throw new Error("the function did not return its output " + JSON.stringify(key));
  parameterValues[key] = result[key];
}
const artifacts = {};
for (const [key, a] of Object.entries(outputs)) {
  const given = input.outputs.artifacts[key].artifacts[0];
  artifacts[key] = { artifacts: [{ ...given, metadata: a.metadata }] };
}
mkdirSync(dirname(input.outputs.outputFile), { recursive: true });
writeFileSync(input.outputs.outputFile, JSON.stringify({ parameterValues, artifacts }));
`;

/** The program a function component's container runs: the function's own source and the code that calls it. */
export function bootstrap(
  name: string,
  run: (context: never) => unknown,
  lists: readonly string[] = [],
): string {
  let source = run.toString();
  if (source.includes("[native code]"))
    throw new UserError(`${name}: run has no source to embed`, {
      fix: "pass a plain function, not a bound or built-in one",
    });
  if (!parses(source)) source = `({ ${source} }).${run.name}`;
  if (!parses(source))
    throw new UserError(`${name}: run's source cannot be embedded`, {
      fix: "pass an arrow function",
    });
  if (/__vite_ssr_|__vi_import/u.test(source))
    throw new UserError(`${name}: run refers to an import outside itself`, {
      fix: "import inside the function with await import()",
    });
  // Kubernetes rewrites $( and $$ in commands and the launcher {{$…}}, so such source travels as a string without them.
  const embedded = /\$\$|\$\(|\{\{\$/u.test(source)
    ? `eval(${JSON.stringify(`(${source})`).replaceAll("$", "\\u0024")})`
    : `(${source})`;
  return `import { mkdirSync, writeFileSync } from "node:fs";\nimport { dirname } from "node:path";\nconst __name = (f) => f;\nconst lists = ${JSON.stringify(lists)};\nconst run = ${embedded};${runtime}`;
}
