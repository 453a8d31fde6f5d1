import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCgroups } from "./cgroups.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cgroups-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test("version 2 writes limits into one hierarchy, for those who have some", () => {
  writeFileSync(join(root, "cgroup.controllers"), "cpuset cpu io memory pids\n");
  const cgroups = openCgroups("sluice-x", root);
  if (typeof cgroups === "string") throw new Error(cgroups);
  expect(cgroups.version).toBe("cgroup-v2");
  expect(readFileSync(join(root, "cgroup.subtree_control"), "utf8")).toBe("+memory +cpu +pids");
  expect(cgroups.prepare("u", "free", {})).toEqual([]);
  expect(cgroups.prepare("u", "main", { memoryBytes: 1000, cpuMillis: 250 })).toEqual([]);
  const group = join(root, "sluice-x/u/main.1");
  expect(readFileSync(join(group, "memory.max"), "utf8")).toBe("1000");
  expect(readFileSync(join(group, "cpu.max"), "utf8")).toBe("25000 100000");
  expect(cgroups.oomKills("u", "main")).toBe(0);
  writeFileSync(join(group, "memory.events"), "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n");
  expect(cgroups.oomKills("u", "main")).toBe(2);
  writeFileSync(join(group, "cgroup.procs"), "12\n34\n");
  expect(cgroups.processes("u")).toEqual([12, 34]);
  expect(cgroups.joining("u", "main")).toEqual([join(group, "cgroup.procs")]);
  expect(cgroups.pods()).toEqual(["u"]);

  mkdirSync(join(root, "sluice-x/u/main.2"));
  expect(cgroups.oomKills("u", "main")).toBe(0);
});

test("version 1 writes them into a hierarchy for each controller", () => {
  for (const controller of ["memory", "cpu", "pids"]) mkdirSync(join(root, controller));
  writeFileSync(join(root, "memory/memory.limit_in_bytes"), "");
  const cgroups = openCgroups("sluice-x", root);
  if (typeof cgroups === "string") throw new Error(cgroups);
  expect(cgroups.prepare("u", "main", { cpuMillis: 1500 })).toEqual(
    ["memory", "cpu", "pids"].map((controller) => join(root, controller, "sluice-x/u/main.1/tasks")),
  );
  expect(readFileSync(join(root, "cpu/sluice-x/u/main.1/cpu.cfs_quota_us"), "utf8")).toBe("150000");
  expect(existsSync(join(root, "memory/sluice-x/u/main.1/memory.limit_in_bytes"))).toBe(false);
  writeFileSync(join(root, "memory/sluice-x/u/main.1/memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
  expect(cgroups.oomKills("u", "main")).toBe(1);
});

test("what cannot be had is said with its fix", () => {
  expect(openCgroups("sluice-x", root)).toMatch(/no control groups are mounted/);
  writeFileSync(join(root, "cgroup.controllers"), "memory\n");
  mkdirSync(join(root, "cgroup.subtree_control"));
  expect(openCgroups("sluice-x", root)).toMatch(/cannot be written .*run as root/);
});
