import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeHome, tmpOf } from "./container-home.ts";
import { homeOf } from "./host-command.ts";
import { PodRecords, type PodRecord } from "./pod-record.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "records-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const recordOf = (uid: string): PodRecord => ({ pod: { uid, namespace: "n", name: uid, hostname: uid, hostNetwork: false }, createdAt: 1 });

/** Makes a pod's directory with that of a container in it, and tells which it is. */
function made(records: PodRecords, uid: string): { readonly inode: number; readonly directory: string; readonly tmp: string } {
  records.put(recordOf(uid));
  const directory = records.directoryOf(uid);
  const home = homeOf({ directory }, "main");
  makeHome(home);
  return { inode: statSync(directory).ino, directory, tmp: tmpOf(home) };
}

test("a directory that is left as it was goes to the next pod, with that one's record", async () => {
  const records = new PodRecords(join(root, "pods"));
  const first = made(records, "a");
  await records.remove("a");
  expect(existsSync(first.directory)).toBe(false);
  const second = made(records, "b");
  expect(second.inode).toBe(first.inode);
  expect(JSON.parse(readFileSync(join(second.directory, "pod.json"), "utf8"))).toEqual(recordOf("b"));
  expect(new PodRecords(join(root, "pods")).all()).toEqual([recordOf("b")]);
});

test.each([
  ["a file", (tmp: string) => writeFileSync(join(tmp, "left"), "secret")],
  ["other rights", (tmp: string) => chmodSync(tmp, 0o700)],
  ["a changed file of ours", (tmp: string) => chmodSync(join(tmp, "../../pod.json"), 0o666)],
])("one with %s does not", async (_, touch) => {
  const records = new PodRecords(join(root, "pods"));
  const { tmp, directory } = made(records, "a");
  touch(tmp);
  await records.remove("a");
  expect(existsSync(directory)).toBe(false);
  const { tmp: other } = made(records, "b");
  expect(existsSync(join(other, "left"))).toBe(false);
  expect(statSync(other).mode & 0o7777).toBe(0o1777);
  expect(statSync(join(other, "../../pod.json")).mode & 0o022).toBe(0);
});
