import { expect, test } from "vitest";
import { stopSignalOf } from "./stop-signal.ts";

test.each([
  ["SIGINT", 2],
  ["term", 15],
  ["3", 3],
  ["SIGRTMIN+3", 37],
  ["SIGNONSENSE", undefined],
  ["0", undefined],
  ["65", undefined],
  ["", undefined],
])("%j is signal %j", (text, signal) => expect(stopSignalOf(text)).toBe(signal));
