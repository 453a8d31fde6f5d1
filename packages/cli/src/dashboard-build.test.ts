import { mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildDashboard } from "./dashboard-build.ts";

let directory: string;
const said: string[] = [];
const build = (): Promise<string | undefined> => buildDashboard(directory, (line) => said.push(line));
beforeEach(async () => {
  said.length = 0;
  directory = await mkdtemp(join(tmpdir(), "sluice-dashboard-"));
  await mkdir(join(directory, "src"));
  await mkdir(join(directory, "node_modules"));
  await symlink(fileURLToPath(new URL("../../../node_modules/vite", import.meta.url)), join(directory, "node_modules", "vite"));
  await writeFile(join(directory, "package.json"), '{"type":"module"}');
  await writeFile(join(directory, "index.html"), '<script type="module" src="/src/main.ts"></script>');
  await writeFile(join(directory, "src", "main.ts"), "console.log(1 as number);");
});
afterEach(() => rm(directory, { recursive: true }));

test("builds what is new, and nothing twice", async () => {
  expect(await build()).toBeUndefined();
  expect(await readFile(join(directory, "dist", "index.html"), "utf8")).toContain("/assets/");
  expect(said).toHaveLength(1);
  expect(await build()).toBeUndefined();
  expect(said).toHaveLength(1);
  const later = new Date(Date.now() + 60_000);
  await utimes(join(directory, "src", "main.ts"), later, later);
  expect(await build()).toBeUndefined();
  expect(said).toHaveLength(2);
});

test("says what is wrong with the source", async () => {
  await writeFile(join(directory, "src", "main.ts"), 'import "./nowhere.ts";');
  expect(await build()).toContain("nowhere");
});

test("leaves an installation without source alone", async () => {
  await rm(join(directory, "src"), { recursive: true });
  expect(await build()).toBeUndefined();
  expect(said).toEqual([]);
});
