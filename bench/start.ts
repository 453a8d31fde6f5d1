import { spawnSync } from "node:child_process";
import { residentMiB, startServer, temporaryDirectory } from "./server.ts";
import { ms, quantile, type Measurement } from "./statistics.ts";

const ROUNDS = 5;
const IDLE_MS = 5000;

/** From spawn to ready on a data directory that exists, and what an idle Sluice holds. */
export async function benchStart(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  const ready: number[] = [];
  let idle = 0;
  let fresh = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    await using server = await startServer(directory.path);
    if (round === 0) fresh = server.readyMs;
    else ready.push(server.readyMs);
    if (round < ROUNDS) continue;
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    idle = residentMiB(server.pid);
  }
  const node = Array.from({ length: ROUNDS }, () => {
    const started = performance.now();
    spawnSync(process.execPath, ["-e", "0"]);
    return performance.now() - started;
  });
  const bare = Number(
    spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.memoryUsage.rss() / 2 ** 20))"], { encoding: "utf8" }).stdout,
  );
  return [
    { name: "start to ready, first time", value: ms(fresh), against: `an empty Node: ${ms(quantile(node, 0.5))}`, aim: "" },
    { name: "start to ready, again (p50)", value: ms(quantile(ready, 0.5)), against: `an empty Node: ${ms(quantile(node, 0.5))}`, aim: "≤ 1000 ms" },
    { name: "idle memory", value: `${idle.toFixed(0)} MiB`, against: `an empty Node: ${bare.toFixed(0)} MiB`, aim: "≤ 150 MiB" },
  ];
}
