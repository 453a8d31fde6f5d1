import { readConfig, startPlatform, type Flags, type Platform } from "@sluice/platform";
import { renderBanner } from "../banner.ts";
import { buildDashboard } from "../dashboard-build.ts";
import { dashboardDirectory, installation, installedVersion } from "../installation.ts";
import { hasColors, serve } from "../serve.ts";

/** Starts the platform and stays until a signal stops it. */
export async function up(flags: Flags): Promise<void> {
  await serve(
    () => start(flags),
    (platform) => renderBanner(platform, { version: installedVersion(), readyMs: performance.now(), color: hasColors() }),
  );
}

async function start(flags: Flags): Promise<Platform> {
  const config = await readConfig(flags, process.env);
  const building = buildDashboard(dashboardDirectory(), (line) => process.stderr.write(`${line}\n`));
  const platform = await startPlatform(config, installation());
  const problem = await building;
  if (problem !== undefined) process.stderr.write(`warning: the dashboard could not be built: ${problem}\n`);
  return platform;
}
