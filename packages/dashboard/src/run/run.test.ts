import { expect, test } from "vitest";
import { actionsFor } from "../api/use-run-actions.ts";
import { explain } from "./explain.ts";
import { readRunSearch } from "./run-search.ts";

test("a failure is taken apart into what happened, the log's end and the line that names the cause", () => {
  const message = "its container exited with code 1: \u001b[31mTraceback\u001b[0m\n  line 12\nValueError: no\n";
  expect(explain(message)).toEqual({
    what: "its container exited with code 1",
    tail: "Traceback\n  line 12\nValueError: no",
    gist: "its container exited with code 1: ValueError: no",
  });
  const stack = "its container exited with code 1: reading\nTypeError: no\n    at run (a.js:1:2)\n    at async main (b.js:3:4)\n\nNode.js v24\n";
  expect(explain(stack).gist).toBe("its container exited with code 1: TypeError: no");
  expect(explain("exited with code 1:     at run (a.js:1:2)").gist).toBe("exited with code 1: at run (a.js:1:2)");
  expect(explain("the pod was deleted")).toEqual({ what: "the pod was deleted", gist: "the pod was deleted" });
  expect(explain("Evicted: no memory\nlast words")).toMatchObject({ what: "Evicted: no memory", tail: "last words" });
});

test.each([
  [{ state: "RUNNING" } as const, ["terminate", "delete"]],
  [{ state: "CANCELING" } as const, ["delete"]],
  [{ state: "FAILED" } as const, ["retry", "archive", "delete"]],
  [{ state: "SUCCEEDED", storage_state: "ARCHIVED" } as const, ["unarchive", "delete"]],
])("what can be done to %j", (run, actions) => expect(actionsFor(run)).toEqual(actions));

test("an address says only what it may", () => {
  expect(readRunSearch({ view: "tasks", task: "root.a", tab: "log", in: "root", x: 1 })).toEqual({ view: "tasks", task: "root.a", tab: "log" });
  expect(readRunSearch({ view: "other", task: 1, tab: "", in: "root.b" })).toEqual({ in: "root.b" });
});
