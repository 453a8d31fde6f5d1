import { UserError } from "@sluice/kubernetes";
import { sql, type SqlBool, type RawBuilder } from "kysely";

/** How a value of a field is compared; the names are those of the KFP filter. */
export type Operation = "EQUALS" | "NOT_EQUALS" | "GREATER_THAN" | "GREATER_THAN_EQUALS" | "LESS_THAN" | "LESS_THAN_EQUALS" | "IN" | "IS_SUBSTRING";

/** One condition on a column. */
export interface Predicate {
  readonly column: string;
  /** The member to look at, where the column holds a JSON object. */
  readonly member?: string;
  /** Whether the column holds a time, which is compared in whole seconds. */
  readonly isTime?: boolean;
  readonly operation: Operation;
  /** One value, or for IN any number of them. */
  readonly values: readonly (string | number)[];
}

/** A page of a list: which rows, in what order, from where, how many. */
export interface PageQuery {
  readonly predicates: readonly Predicate[];
  readonly sortColumn: string;
  readonly isDescending: boolean;
  readonly pageSize: number;
  /** The last row of the page before: its sort value and its id. */
  readonly after?: { readonly value: string | number; readonly id: string };
}

/** One page, and how many rows the filter lets through in all. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly total: number;
  /** Where the next page starts, if there is one. */
  readonly next?: { readonly value: string | number; readonly id: string };
}

const OPERATORS: Readonly<Record<Exclude<Operation, "IN" | "IS_SUBSTRING">, string>> = {
  EQUALS: "=",
  NOT_EQUALS: "<>",
  GREATER_THAN: ">",
  GREATER_THAN_EQUALS: ">=",
  LESS_THAN: "<",
  LESS_THAN_EQUALS: "<=",
};

function conditionOf({ column, member, isTime = false, operation, values }: Predicate): RawBuilder<SqlBool> {
  const [value] = values;
  const whole = isTime ? sql`(${sql.ref(column)} / 1000)` : sql.ref(column);
  const subject = member === undefined ? whole : sql`(select value from json_each(${sql.ref(column)}) where key = ${member})`;
  if (operation === "IN") return values.length === 0 ? sql`1 = 0` : sql`${subject} in (${sql.join(values)})`;
  if (value === undefined) throw new UserError(`the filter on ${column} has no value`);
  if (operation === "IS_SUBSTRING") {
    const pattern = `%${String(value).replace(/[\\%_]/g, "\\$&")}%`;
    return sql`lower(${subject}) like lower(${pattern}) escape '\\'`;
  }
  return sql`${subject} ${sql.raw(OPERATORS[operation])} ${value}`;
}

/** The condition that all predicates hold. */
export function filterCondition(predicates: readonly Predicate[]): RawBuilder<SqlBool> {
  return predicates.length === 0 ? sql`1 = 1` : sql`(${sql.join(predicates.map(conditionOf), sql` and `)})`;
}

/** The condition that a row comes after the page before. */
export function afterCondition({ after, sortColumn, isDescending }: PageQuery): RawBuilder<SqlBool> {
  if (after === undefined) return sql`1 = 1`;
  const beyond = sql.raw(isDescending ? "<" : ">");
  const column = sql.ref(sortColumn);
  return sql`(${column} ${beyond} ${after.value} or (${column} = ${after.value} and ${sql.ref("id")} ${beyond} ${after.id}))`;
}

/** A page out of rows of which one more than the page's size was asked for. */
export function pageOf<Row extends { readonly id: string }>(rows: readonly Row[], total: number, query: PageQuery): Page<Row> {
  const kept = rows.slice(0, query.pageSize);
  const last = kept.at(-1);
  if (rows.length <= query.pageSize || last === undefined) return { rows: kept, total };
  const value = new Map<string, unknown>(Object.entries(last)).get(query.sortColumn);
  return { rows: kept, total, next: { value: typeof value === "number" ? value : String(value), id: last.id } };
}

/** The condition that a column has a value. */
export function equals(column: string, value: string | number): Predicate {
  return { column, operation: "EQUALS", values: [value] };
}
