import { setTimeout } from "node:timers/promises";
import { UserError } from "@sluice/kubernetes";
import { findRunning, readConfig, type Flags } from "@sluice/platform";

const PATIENCE_MS = 20_000;

/** Stops the platform that runs on a data directory, and returns once it has let go of it. */
export async function down(flags: Flags): Promise<void> {
  const { dataDir } = await readConfig(flags, process.env);
  const running = await findRunning(dataDir);
  if (running === undefined) {
    process.stdout.write(`Sluice does not run on ${dataDir}\n`);
    return;
  }
  try {
    process.kill(running.pid, "SIGTERM");
  } catch (cause) {
    throw new UserError(`cannot stop process ${running.pid}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const deadline = Date.now() + PATIENCE_MS;
  while ((await findRunning(dataDir))?.pid === running.pid) {
    if (Date.now() > deadline)
      throw new UserError(`process ${running.pid} does not stop`, { fix: `kill -9 ${running.pid}: the data will not suffer` });
    await setTimeout(50);
  }
  process.stdout.write(`stopped process ${running.pid}; pods go on and are found again by \`sluice up\`\n`);
}
