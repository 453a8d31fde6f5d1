import type { Migration } from "./database.ts";

/** The tables of the tests. */
export interface ThingsTables {
  things: { id: string; value: number };
}

/** Makes them. */
export const THINGS: Migration = {
  name: "001-things",
  async up({ schema }) {
    const table = schema.createTable("things").addColumn("id", "text", (column) => column.primaryKey());
    await table.addColumn("value", "bigint", (column) => column.notNull()).execute();
  },
};
