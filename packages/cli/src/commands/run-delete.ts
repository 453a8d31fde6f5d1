import { UserError } from "@sluice/kubernetes";
import { connect, type ServerOptions } from "../server.ts";

/** What `run delete` takes. */
export interface DeleteFlags extends ServerOptions {
  readonly keepArtifacts?: boolean;
  readonly deleteArtifacts?: boolean;
}

/** Deletes runs. They must be named: `latest` may be another one than a moment ago. */
export async function deleteRuns(runs: readonly string[], { keepArtifacts, deleteArtifacts, ...server }: DeleteFlags): Promise<void> {
  if (keepArtifacts === true && deleteArtifacts === true) throw new UserError("artifacts cannot be both kept and deleted");
  const client = connect(server);
  const artifacts = keepArtifacts === true ? "keep" : deleteArtifacts === true ? "delete" : undefined;
  for (const run of runs) {
    await client.deleteRun(run, artifacts === undefined ? {} : { artifacts });
    process.stdout.write(`run ${run} is deleted\n`);
  }
}
