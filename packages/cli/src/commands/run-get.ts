import { renderRun } from "../render-run.ts";
import { connect, runIdOf, type ServerOptions } from "../server.ts";

/** Prints a run and its tasks as they are now. */
export async function getRun(id: string, { json, ...server }: ServerOptions & { readonly json?: boolean }): Promise<void> {
  const client = connect(server);
  const run = await client.getRun(await runIdOf(client, id));
  const { isTTY, columns } = process.stdout;
  const lines = renderRun(
    { run, tasks: run.tasks ?? [] },
    { width: isTTY ? columns : Infinity, now: Date.now(), color: isTTY && process.stdout.hasColors() },
  );
  process.stdout.write(`${json === true ? JSON.stringify(run, undefined, 2) : lines.join("\n")}\n`);
}
