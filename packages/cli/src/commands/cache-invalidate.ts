import { UserError } from "@sluice/kubernetes";
import { connect, runIdOf, type ServerOptions } from "../server.ts";

/** What `cache invalidate` takes. */
export interface InvalidateFlags extends ServerOptions {
  readonly pipeline?: string;
  readonly namespace?: string;
}

/** Lets later runs make results anew: those of a run, of one of its steps, or of a whole pipeline. */
export async function invalidateCache(
  id: string | undefined,
  task: string | undefined,
  { pipeline, namespace, ...server }: InvalidateFlags,
): Promise<void> {
  if ((id === undefined) === (pipeline === undefined)) {
    throw new UserError("it is not clear whose results are meant", { fix: "name a run and perhaps its step, or a pipeline with --pipeline" });
  }
  const client = connect(server);
  const count =
    pipeline === undefined
      ? await client.invalidateCache({ runId: await runIdOf(client, id ?? ""), ...(task === undefined ? {} : { task }) })
      : await client.invalidateCache({ pipeline, ...(namespace === undefined ? {} : { namespace }) });
  process.stdout.write(count === 1 ? "1 result is shared no more\n" : `${count} results are shared no more\n`);
}
