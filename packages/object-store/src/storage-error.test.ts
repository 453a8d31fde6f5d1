import { closeSync, openSync } from "node:fs";
import { ApiError } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { storageError } from "./storage-error.ts";

test.each([
  ["ENOSPC", 507, "cannot store x: the disk is full. Free some space and try again"],
  ["EDQUOT", 507, "the disk is full"],
  ["ENOENT", 404, "cannot store x: no"],
  ["EACCES", 403, "Give this user access"],
  ["EIO", 500, "cannot store x: no"],
])("%s is said so", (code, status, message) => {
  expect(storageError("store x", Object.assign(new Error("no"), { code, syscall: "write" }))).toMatchObject({
    code: status,
    message: expect.stringContaining(message),
  });
});

test("what is no failure of the disk stays as it is", () => {
  for (const error of [new Error("bug"), new ApiError("Conflict", "no"), "text"]) expect(storageError("store x", error)).toBe(error);
  try {
    closeSync(openSync("/nowhere/at/all", "r"));
  } catch (error) {
    expect(storageError("read x", error)).toBeInstanceOf(ApiError);
  }
});
