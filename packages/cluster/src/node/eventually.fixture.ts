import { expect } from "vitest";

/** `expect` of something that takes a while, on a busy machine too. */
export function eventually<T>(actual: () => T, timeout = 15_000): ReturnType<typeof expect.poll<T>> {
  return expect.poll(actual, { timeout });
}
