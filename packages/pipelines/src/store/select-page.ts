import { sql } from "kysely";
import { afterCondition, filterCondition, pageOf, type Page, type PageQuery } from "./page.ts";
import type { PipelinesDatabase, PipelinesTables } from "./tables.ts";

/** One page and the number of all rows, in one query. */
export async function selectPage<Row extends { readonly id: string }>(
  database: PipelinesDatabase,
  table: keyof PipelinesTables,
  query: PageQuery,
): Promise<Page<Row>> {
  const where = filterCondition(query.predicates);
  const direction = sql.raw(query.isDescending ? "desc" : "asc");
  const { rows } = await sql<Row & { page_total: number }>`
    select *, (select count(*) from ${sql.table(table)} where ${where}) as page_total
    from ${sql.table(table)} where ${where} and ${afterCondition(query)}
    order by ${sql.ref(query.sortColumn)} ${direction}, ${sql.ref("id")} ${direction} limit ${query.pageSize + 1}`.execute(database.read);
  const [first] = rows;
  if (first !== undefined) return pageOf<Row>(rows, Number(first.page_total), query);
  // No row is left to tell the total, as happens when the last ones went since the page before.
  const count = sql<{ total: number }>`select count(*) as total from ${sql.table(table)} where ${where}`;
  const total = query.after === undefined ? 0 : Number((await count.execute(database.read)).rows[0]?.total ?? 0);
  return { rows: [], total };
}
