/** Typed SQL stores with migrations: Kysely over `node:sqlite`, with group commit. */
export * from "./database.ts";
