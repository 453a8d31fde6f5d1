import { connect, runIdOf, type ServerOptions } from "../server.ts";

/** Stops a run. */
export async function terminateRun(id: string, server: ServerOptions): Promise<void> {
  const client = connect(server);
  const runId = await runIdOf(client, id);
  await client.terminate(runId);
  process.stdout.write(`run ${runId} is stopping\n`);
}
