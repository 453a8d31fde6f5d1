import { expect, test } from "vitest";
import { ApiError } from "@sluice/kubernetes";
import { keepReading } from "./keep-reading.ts";

const online = (checks: string[]) => ({ check: () => void checks.push("check"), untilOnline: () => Promise.resolve() });

test("a broken stream is read again, and its end is the end", async () => {
  const checks: string[] = [];
  let reads = 0;
  await keepReading(
    (onRead) => {
      onRead();
      return ++reads < 3 ? Promise.reject(new TypeError("network error")) : Promise.resolve();
    },
    { connection: online(checks), signal: new AbortController().signal },
  );
  expect([reads, checks.length]).toEqual([3, 2]);
});

test("what is refused is not asked again", async () => {
  const read = (): Promise<void> => Promise.reject(new ApiError("NotFound", "gone"));
  await expect(keepReading(read, { connection: online([]), signal: new AbortController().signal })).rejects.toThrow("gone");
});

test("nobody reads on after leaving", async () => {
  const stop = new AbortController();
  let reads = 0;
  const read = (): Promise<void> => {
    reads++;
    stop.abort();
    return Promise.reject(new TypeError("aborted"));
  };
  await keepReading(read, { connection: online([]), signal: stop.signal });
  expect(reads).toBe(1);
});
