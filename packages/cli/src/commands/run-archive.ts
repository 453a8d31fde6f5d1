import { connect, type ServerOptions } from "../server.ts";

/** Takes runs off the list of runs, or puts them back. */
export async function shelveRuns(runs: readonly string[], verb: "archive" | "unarchive", server: ServerOptions): Promise<void> {
  const client = connect(server);
  for (const run of runs) {
    await client[verb](run);
    process.stdout.write(`run ${run} is ${verb}d\n`);
  }
}
