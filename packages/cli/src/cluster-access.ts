import { homedir } from "node:os";
import { join } from "node:path";
import { type ClusterAccess, loadKubeconfig } from "@sluice/client";
import { UserError } from "@sluice/kubernetes";
import { findRunning, readConfig } from "@sluice/platform";

/** Which cluster is meant. */
export interface ClusterOptions {
  readonly host: string;
  readonly dataDir?: string;
  readonly kubeconfig?: string;
}

/**
 * How to reach the cluster in which the server at `host` runs its pods: by the kubeconfig that is named; that of the Sluice on the data
 * directory, if it is that server; or kubectl's own.
 */
export async function clusterAccess({ host, dataDir, kubeconfig }: ClusterOptions): Promise<ClusterAccess> {
  if (kubeconfig !== undefined) return loadKubeconfig(kubeconfig);
  const config = await readConfig(dataDir === undefined ? {} : { dataDir }, process.env);
  const running = await findRunning(config.dataDir);
  const isMeant = dataDir !== undefined || (running?.url !== undefined && addressOf(running.url) === addressOf(host));
  if (isMeant && running?.kubeconfig !== undefined) return loadKubeconfig(running.kubeconfig);
  const [own = join(homedir(), ".kube/config")] = (process.env["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  try {
    return await loadKubeconfig(own);
  } catch (cause) {
    if (!(cause instanceof UserError)) throw cause;
    throw new UserError(`no kubeconfig says how to reach the cluster of ${host}: ${cause.message}`, {
      fix: "name its kubeconfig with --kubeconfig, or the data directory of its Sluice with --data-dir",
      cause,
    });
  }
}

function addressOf(url: string): string {
  const { hostname, port } = new URL(/^https?:\/\//u.test(url) ? url : `http://${url}`);
  return `${hostname === "localhost" ? "127.0.0.1" : hostname}:${port}`;
}
