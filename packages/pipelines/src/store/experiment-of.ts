import { PreconditionError } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";
import type { ExperimentRow, PipelinesTransaction } from "./tables.ts";

/** The experiment of this id, or else the one that is called like `fallback`, which is made if there is none. */
export async function experimentOf(transaction: PipelinesTransaction, id: string, fallback: ExperimentRow | undefined): Promise<ExperimentRow> {
  const experiments = transaction.selectFrom("pipelines_experiments").selectAll();
  const experiment = await (
    fallback === undefined
      ? experiments.where("id", "=", id)
      : experiments.where("namespace", "=", fallback.namespace).where("name", "=", fallback.name)
  ).executeTakeFirst();
  if (experiment !== undefined) return experiment;
  if (fallback === undefined) throw new ApiError("NotFound", `experiment ${id} not found`);
  await transaction.insertInto("pipelines_experiments").values(fallback).execute();
  return fallback;
}

/** Refuses what would put runs into an experiment that is archived. */
export function checkAvailable({ name, storage_state }: ExperimentRow): void {
  if (storage_state !== "ARCHIVED") return;
  throw new PreconditionError(`experiment_id: experiment ${JSON.stringify(name)} is archived: unarchive it, or name another`);
}
