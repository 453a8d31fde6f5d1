import { UserError } from "@sluice/kubernetes";
import { CLUSTER_MODES, readConfig, startStandaloneCluster, type Flags } from "@sluice/platform";
import { renderClusterBanner } from "../banner.ts";
import { installation, installedVersion } from "../installation.ts";
import { hasColors, serve } from "../serve.ts";

/** Starts the embedded Kubernetes alone and stays until a signal stops it. */
export async function cluster(flags: Flags, modeName: string): Promise<void> {
  const mode = CLUSTER_MODES.find((one) => one === modeName);
  if (mode === undefined) throw new UserError(`there is no mode ${JSON.stringify(modeName)}`, { fix: `choose among ${CLUSTER_MODES.join(", ")}` });
  const { version, environment } = installation();
  await serve(
    async () => startStandaloneCluster(await readConfig(flags, process.env), { version, environment, mode }),
    (started) => renderClusterBanner(started, { version: installedVersion(), readyMs: performance.now(), color: hasColors() }),
  );
}
