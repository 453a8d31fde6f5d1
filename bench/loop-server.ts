/** A control plane on a data directory, in a process that says how long its longest event-loop turn was since it was last asked. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { startCluster } from "@sluice/cluster";

/** What the server says: where it is, at first, and its longest turn. */
export interface LoopReport {
  readonly kubeconfigPath: string;
  readonly longestMs: number;
}

const RESOLUTION_MS = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
const cluster = await startCluster({ directory: process.argv[2], mode: "control-plane" });
const report = (): void => {
  const message: LoopReport = { kubeconfigPath: cluster.kubeconfigPath, longestMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS) };
  delay.reset();
  process.send?.(message);
};
process.on("message", report);
process.on("disconnect", () => void cluster[Symbol.asyncDispose]());
report();
