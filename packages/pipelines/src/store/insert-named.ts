import { ApiError } from "@sluice/kubernetes";
import type { PipelinesDatabase, PipelinesTransaction } from "./tables.ts";

/** Inserts something whose name must be free, as `exists` tells in the same transaction; else AlreadyExists. */
export async function insertNamed(
  database: PipelinesDatabase,
  kind: string,
  name: string,
  insert: (transaction: PipelinesTransaction) => Promise<unknown>,
  exists: (transaction: PipelinesTransaction) => Promise<boolean>,
): Promise<void> {
  await database.transaction(async (transaction) => {
    if (await exists(transaction)) throw new ApiError("AlreadyExists", `${kind} ${JSON.stringify(name)} already exists`);
    await insert(transaction);
  });
}
