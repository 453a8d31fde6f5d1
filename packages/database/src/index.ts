/**
 * Typed SQL stores with migrations: Kysely over `node:sqlite`. One connection writes, in transactions that run one after
 * the other and share their commit; another reads, and sees nothing that is not on disk.
 */
export type * from "./database.ts";
export { openDatabase, type DatabaseOptions } from "./open-database.ts";
