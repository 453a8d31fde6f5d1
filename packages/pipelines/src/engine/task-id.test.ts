import { expect, test } from "vitest";
import { runResourceName } from "./task-id.ts";

test.each([
  ["pipeline-with-placeholders", "pipeline-with-placeholders-3f2504e0"],
  ["My Pipeline_1", "my-pipeline-1-3f2504e0"],
  [`${"long".repeat(20)}-name`, `${"long".repeat(20).slice(0, 54)}-3f2504e0`],
])("components know a run of %s by a name that begins with it", (pipeline, name) => {
  expect(runResourceName(pipeline, "3f2504e0-4f89-41d3-9a0c-0305e82c3301")).toBe(name);
});
