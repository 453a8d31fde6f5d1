/** Measures Sluice as its users meet it, against a peer or a physical limit in the same run: `npm run bench [-- start runs pods api scheduler loop pipelines]`. */
import { cpus, release } from "node:os";
import { benchApi } from "./api.ts";
import { benchLoop } from "./loop.ts";
import { benchPods } from "./pods.ts";
import { benchPipelines } from "./pipelines.ts";
import { benchRuns } from "./runs.ts";
import { benchScheduler } from "./scheduler.ts";
import { benchStart } from "./start.ts";
import { printTable, type Measurement } from "./statistics.ts";

const scenarios: Readonly<Record<string, () => Promise<readonly Measurement[]>>> = {
  start: benchStart,
  runs: benchRuns,
  pods: benchPods,
  api: benchApi,
  scheduler: benchScheduler,
  loop: benchLoop,
  pipelines: benchPipelines,
};
const chosen = process.argv.slice(2);
const unknown = chosen.find((name) => !(name in scenarios));
if (unknown !== undefined) {
  process.stderr.write(`error: there is no scenario ${unknown}\n  fix: choose among ${Object.keys(scenarios).join(", ")}\n`);
  process.exit(1);
}
process.stdout.write(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}\n\n`);
const rows: Measurement[] = [];
for (const [name, measure] of Object.entries(scenarios)) if (chosen.length === 0 || chosen.includes(name)) rows.push(...(await measure()));
printTable(rows);
