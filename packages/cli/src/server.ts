import { UserError } from "@sluice/kubernetes";
import { createPipelinesClient, type PipelinesClient } from "@sluice/sdk";

/** What every command that talks to the server takes. */
export interface ServerOptions {
  readonly host: string;
}

/** A client of the server at `host`; a bare `name:port` means HTTP. */
export function connect({ host }: ServerOptions): PipelinesClient {
  const url = /^https?:\/\//u.test(host) ? host : `http://${host}`;
  if (!URL.canParse(url)) throw new UserError(`${host} is no address of a server`, { fix: "give one such as http://127.0.0.1:8080" });
  return createPipelinesClient({ host: url });
}

/** A run's id; `latest` is the newest run. */
export async function runIdOf(client: PipelinesClient, run: string): Promise<string> {
  if (run !== "latest") return run;
  const { runs } = await client.listRuns({ pageSize: 1 });
  const [latest] = runs;
  if (latest === undefined) throw new UserError("there is no run yet", { fix: "start one with `sluice run submit FILE`" });
  return latest.run_id;
}
