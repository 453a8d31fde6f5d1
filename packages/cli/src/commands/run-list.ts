import { isFinished } from "@sluice/sdk";
import { durationOf } from "../format.ts";
import { connect, type ServerOptions } from "../server.ts";
import { table } from "../text.ts";

/** Prints the newest runs. */
export async function listRuns({ limit, json, ...server }: ServerOptions & { readonly limit: number; readonly json?: boolean }): Promise<void> {
  const { runs } = await connect(server).listRuns({ pageSize: limit });
  if (json === true) {
    process.stdout.write(`${JSON.stringify(runs, undefined, 2)}\n`);
    return;
  }
  const rows = runs.map((run) => [
    run.run_id,
    run.display_name,
    run.state ?? "PENDING",
    run.created_at ?? "",
    run.created_at === undefined ? "" : durationOf(run.created_at, isFinished(run) ? run.finished_at : undefined, Date.now()),
  ]);
  process.stdout.write(
    rows.length === 0
      ? "no runs yet; start one with: sluice run submit FILE\n"
      : `${table([["ID", "NAME", "STATE", "CREATED", "DURATION"], ...rows])}\n`,
  );
}
