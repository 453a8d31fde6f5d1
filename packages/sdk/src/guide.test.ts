import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";

const repository = fileURLToPath(new URL("../../..", import.meta.url));
const guide = readFileSync(join(repository, "docs/guides/pipelines-in-typescript.md"), "utf8");
const readme = readFileSync(join(repository, "README.md"), "utf8");
const blocks = (text: string): string[] => [...text.matchAll(/^```ts\n(.*?)^```/gmsu)].map(([, block = ""]) => block);
const files = [...blocks(guide), ...blocks(readme).map((block) => `// powers.ts\n${block}`)].map(
  (block) => [/^\/\/ (\S+)\n/u.exec(block)?.[1] ?? "", block] as const,
);

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "sluice-guide-"));
  symlinkSync(join(repository, "node_modules"), join(home, "node_modules"));
  writeFileSync(join(home, "package.json"), '{"type":"module"}');
  for (const [name, text] of files) writeFileSync(join(home, name), text);
});
afterAll(() => rmSync(home, { recursive: true }));

test("every block of TypeScript is a file, and all of them have the right types", () => {
  const names = files.map(([name]) => name);
  expect(names).toEqual([...new Set(names)]);
  expect(names).not.toContain("");
  const options = {
    extends: join(repository, "tsconfig.json"),
    compilerOptions: { isolatedDeclarations: false, declaration: false, typeRoots: [join(repository, "node_modules/@types")] },
    include: ["*.ts"],
  };
  writeFileSync(join(home, "tsconfig.json"), JSON.stringify(options));
  try {
    execFileSync(process.execPath, [join(repository, "node_modules/typescript/bin/tsc"), "-p", home], { encoding: "utf8" });
  } catch (error) {
    throw new Error(String((error as { stdout?: unknown }).stdout), { cause: error });
  }
});

test("the pipelines compile", () => {
  const compiled = (script: string): { root: { dag: { tasks: object } } } => {
    const text = execFileSync(process.execPath, ["--input-type=module", "-e", script], { cwd: home, encoding: "utf8" });
    return parseAllDocuments(text)[0]!.toJS() as ReturnType<typeof compiled>;
  };
  expect(Object.keys(compiled('import "./print.ts"').root.dag.tasks)).toEqual(["clean-up", "exit-handler-1"]);
  const tasksOf = (file: string): string[] =>
    Object.keys(compiled(`import { compile } from "@sluice/sdk"; import it from "./${file}"; console.log(compile(it));`).root.dag.tasks);
  expect(tasksOf("hello.ts")).toEqual(["greet"]);
  expect(tasksOf("tour.ts")).toEqual(["choose", "words", "sort", "show", "for-loop-1"]);
  expect(tasksOf("pod.ts")).toEqual(["createpvc", "importer", "train", "words", "deletepvc"]);
  expect(tasksOf("powers.ts")).toEqual(["load", "for-loop-1", "largest"]);
});
