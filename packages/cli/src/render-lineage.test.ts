import { expect, test } from "vitest";
import { renderLineage } from "./render-lineage.ts";

const artifact = (id: string): { artifact_id: string; type: string; uri: string } => ({ artifact_id: id, type: "Dataset", uri: `s3://b/${id}` });
const link = (
  task_id: string,
  type: "INPUT" | "OUTPUT",
  artifact_id: string,
): { task_id: string; type: "INPUT" | "OUTPUT"; artifact_id: string; artifact_key: string } => ({
  ...{ task_id, type, artifact_id },
  artifact_key: `k${artifact_id}`,
});

test("a lineage is a tree that opens nothing twice", () => {
  const lineage = {
    artifact: artifact("3"),
    artifacts: [artifact("1"), artifact("2")],
    tasks: [
      { task_id: "t3", run_id: "r", name: "join" },
      { task_id: "t1", run_id: "r", name: "split" },
      { task_id: "t0", run_id: "old" },
    ],
    links: [
      ...[link("t3", "OUTPUT", "3"), link("t3", "INPUT", "1"), link("t3", "INPUT", "2")],
      ...[link("t1", "OUTPUT", "1"), link("t1", "OUTPUT", "2"), link("t1", "INPUT", "0"), link("t0", "OUTPUT", "0")],
    ],
    truncated: true,
  };
  expect(renderLineage(lineage, "UPSTREAM")).toBe(`\
Dataset s3://b/3  3
└─ join  run r
   ├─ k1: Dataset s3://b/1  1
   │  └─ split  run r
   │     └─ k0: 0 (deleted)
   │        └─ a task of a deleted run  run old
   └─ k2: Dataset s3://b/2  2
      └─ split  run r  (see above)
… and more: look from an artifact nearer to it, or with a smaller --depth
`);
});
