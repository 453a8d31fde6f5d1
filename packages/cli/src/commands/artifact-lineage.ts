import { UserError } from "@sluice/kubernetes";
import { renderLineage } from "../render-lineage.ts";
import { connect, type ServerOptions } from "../server.ts";

/** Which way to look, and how far. */
export interface LineageOptions extends ServerOptions {
  readonly down?: boolean;
  /** How many tasks away. */
  readonly depth?: number;
}

/** Prints what an artifact, by its id or its URI, was made from, or what was made from it. */
export async function showLineage(wanted: string, { down = false, depth, ...server }: LineageOptions): Promise<void> {
  const client = connect(server);
  const direction = down ? "DOWNSTREAM" : "UPSTREAM";
  const ids = wanted.includes("://") ? (await client.listArtifacts({ uri: wanted })).artifacts.map(({ artifact_id: id }) => id) : [wanted];
  if (ids.length === 0) throw new UserError(`no artifact is known at ${wanted}`, { fix: "see which there are: sluice run get RUN --json" });
  for (const id of ids)
    process.stdout.write(renderLineage(await client.lineage(id, { direction, ...(depth === undefined ? {} : { depth }) }), direction));
}
