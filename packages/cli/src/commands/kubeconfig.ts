import { readFile } from "node:fs/promises";
import { UserError } from "@sluice/kubernetes";
import { findRunning, readConfig, type Flags } from "@sluice/platform";

/** Prints the kubeconfig of the platform that runs on a data directory, or where it is. */
export async function kubeconfig(flags: Flags, onlyPath: boolean): Promise<void> {
  const { dataDir } = await readConfig(flags, process.env);
  const path = (await findRunning(dataDir))?.kubeconfig;
  if (path === undefined) throw new UserError(`Sluice does not run on ${dataDir}`, { fix: "start it with `sluice up`" });
  process.stdout.write(onlyPath ? `${path}\n` : await readFile(path, "utf8"));
}
