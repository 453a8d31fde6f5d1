import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeInPlace } from "./write-in-place.ts";

test("a file holds what was written last, in the same place", () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-write-"));
  try {
    const path = join(directory, "file");
    writeInPlace(path, "first");
    const { ino } = statSync(path);
    for (const content of ["a longer text", "short", "", "ünïcode"]) {
      writeInPlace(path, content);
      expect(readFileSync(path, "utf8")).toBe(content);
    }
    expect(statSync(path).ino).toBe(ino);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
