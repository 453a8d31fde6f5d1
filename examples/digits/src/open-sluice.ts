import { installation } from "@sluice/cli";
import { UserError } from "@sluice/kubernetes";
import { checkPort, findRunning, readConfig, startPlatform } from "@sluice/platform";

/** A Sluice to talk to. Disposing of it stops it, unless somebody else has started it. */
export interface OpenSluice extends AsyncDisposable {
  readonly url: string;
  readonly isOwn: boolean;
}

/** The Sluice that runs on a data directory, or one that is started for the purpose; `say` is told what it does. */
export async function openSluice(dataDir: string, say: (line: string) => void): Promise<OpenSluice> {
  const running = await findRunning(dataDir);
  if (running !== undefined) {
    if (running.url === undefined)
      throw new UserError(`a Sluice is just starting on ${dataDir} (process ${running.pid})`, { fix: "try again in a moment" });
    say(`using the Sluice that runs at ${running.url}`);
    return { url: running.url, isOwn: false, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const config = await readConfig({ dataDir }, process.env);
  const freePort = async (port: number): Promise<number> => {
    try {
      await checkPort(config.address, port, "");
      return port;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      say(`${error.message}: taking another one`);
      return 0;
    }
  };
  const [port, apiPort] = [await freePort(config.port), await freePort(config.apiPort)];
  const platform = await startPlatform({ ...config, port, apiPort }, installation());
  say(`started Sluice at ${platform.url}`);
  return { url: platform.url, isOwn: true, [Symbol.asyncDispose]: () => platform[Symbol.asyncDispose]() };
}
