import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findUser } from "./image-user.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sluice-user-"));
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nme:x:1000:100::/home/me:\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nusers:x:100:\nextra:x:7:me,root\nother:x:8:you\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ["", {}, { uid: 0, gid: 0, groups: [7], home: "/root" }],
  ["me", {}, { uid: 1000, gid: 100, groups: [7], home: "/home/me" }],
  ["1000", {}, { uid: 1000, gid: 100, groups: [7], home: "/home/me" }],
  ["me:other", {}, { uid: 1000, gid: 8, groups: [7], home: "/home/me" }],
  ["1000:5", {}, { uid: 1000, gid: 5, groups: [7], home: "/home/me" }],
  ["65532", {}, { uid: 65532, gid: 0, groups: [], home: "/" }],
  ["65532:65532", {}, { uid: 65532, gid: 65532, groups: [], home: "/" }],
  ["me:other", { uid: 5 }, { uid: 5, gid: 0, groups: [], home: "/" }],
  ["", { uid: 1000 }, { uid: 1000, gid: 100, groups: [7], home: "/home/me" }],
  ["me", { gid: 9 }, { uid: 1000, gid: 9, groups: [7], home: "/home/me" }],
])("user %j, and %j of the pod", (user, instead, expected) => {
  expect(findUser(root, user, instead)).toEqual(expected);
});

test("a name that the image does not know is refused, and an image needs no lists", () => {
  expect(() => findUser(root, "you")).toThrow("unable to find user you: no matching entries in passwd file");
  expect(() => findUser(root, "me:us")).toThrow("unable to find group us");
  rmSync(join(root, "etc"), { recursive: true });
  expect(findUser(root, "65532:65532")).toEqual({ uid: 65532, gid: 65532, groups: [], home: "/" });
  expect(findUser(root, "")).toEqual({ uid: 0, gid: 0, groups: [], home: "/" });
});
