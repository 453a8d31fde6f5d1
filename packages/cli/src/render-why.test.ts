import { expect, test } from "vitest";
import { renderWhy } from "./render-why.ts";

test("every reason is a sentence below its task, in lines that fit", () => {
  const lines = renderWhy(
    [
      {
        ...{ name: "train", display_name: "train", scope_path: "root.for-loop-1.0.train", state: "SUCCEEDED" },
        reasons: [
          { type: "changed", message: "it had to run: since the result of run digits (r1), made at noon, input epochs changed from 3 to 4" },
          { type: "retried", message: "this is attempt 2: its run was retried" },
        ],
      },
      { name: "publish", state: "PENDING", reasons: [{ type: "waitsForTasks", message: "it waits for train (RUNNING)" }] },
    ],
    { width: 60 },
  );
  expect(lines).toEqual([
    "✓ train (for-loop-1.0.train)  SUCCEEDED",
    "  It had to run: since the result of run digits (r1), made",
    "  at noon, input epochs changed from 3 to 4.",
    "  This is attempt 2: its run was retried.",
    "○ publish  PENDING",
    "  It waits for train (RUNNING).",
  ]);
});

test("text of others cannot move the cursor", () => {
  expect(
    renderWhy([{ name: "a", state: "FAILED", reasons: [{ type: "failed", message: "exit code 1\nno\u001b[2J such file" }] }], { width: 60 }),
  ).toEqual(["✗ a  FAILED", "  Exit code 1: no such file."]);
});
