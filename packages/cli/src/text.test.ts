import { expect, test } from "vitest";
import { briefly } from "./text.ts";

test("of a failure with a log's last lines, what failed and the last line are told", () => {
  const log = '    executor_main()\n  File "x.py", line 9, in shout\n    raise ValueError("no")\nValueError: no\n';
  expect(briefly(`task "a" failed: its container exited with code 1: ${log}`)).toBe(
    'task "a" failed: its container exited with code 1: ValueError: no',
  );
  expect(briefly("its pod cannot start: no such image")).toBe("its pod cannot start: no such image");
  expect(briefly("")).toBe("");
});
