import { spawn } from "node:child_process";
import { once } from "node:events";

/** A program that does nothing. */
export const NOTHING = ["true"] as const;

/** Runs that program, and returns how long that took, in milliseconds. */
export async function bareProcess(): Promise<number> {
  const started = performance.now();
  await once(spawn(NOTHING[0], [], { stdio: "ignore" }), "exit");
  return performance.now() - started;
}

/** Runs it `count` times, two at a time, and returns how long that took, in milliseconds. */
export async function bareProcesses(count: number): Promise<number> {
  const started = performance.now();
  let next = 0;
  const run = async (): Promise<void> => {
    while (next++ < count) await bareProcess();
  };
  await Promise.all([run(), run()]);
  return performance.now() - started;
}
