import { createHash } from "node:crypto";
import { ApiError } from "@sluice/kubernetes";
import type { JsonValue } from "../domain/ir.ts";
import { isJsonObject } from "../domain/executor-input.ts";
import type { Operation, Page, PageQuery, Predicate } from "../store/page.ts";
import { invalid, Message } from "./message.ts";
import { FILTER, PREDICATE } from "./messages.ts";

const DEFAULT_PAGE_SIZE = 20;
const MAX_PAGE_SIZE = 200;
const VALUES = ["int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values"];

/** Stands in `ListFields` for the members of a column that holds an object of strings. */
export const TAGS: Readonly<Record<"tags.<key>", string>> = { "tags.<key>": "tags" };
const TAG_PREFIX = "tags.";

/** The fields that a list may be sorted and filtered by, and their columns. Those that end in `_at` are times. */
export type ListFields = Readonly<Record<string, string>>;

interface Token {
  readonly value: string | number;
  readonly id: string;
  /** What the first request asked for; the later ones must ask the same. */
  readonly query: string;
  readonly sort: string;
  readonly isDescending: boolean;
}

/** The query of a list request, and how to name its next page. */
export interface ListRequest {
  readonly query: PageQuery;
  token(page: Page<unknown>): string;
}

/** Reads `page_size`, `page_token`, `sort_by` and `filter`. */
export function listRequest(
  parameters: (name: string) => string | undefined,
  fields: ListFields,
  scope: readonly Predicate[],
  largest: number = MAX_PAGE_SIZE,
): ListRequest {
  const filter = readFilter(parameters("filter") ?? "", fields);
  const fingerprint = createHash("sha256")
    .update(JSON.stringify([scope, filter]))
    .digest("base64url")
    .slice(0, 16);
  const tokenText = parameters("page_token") ?? "";
  const token = tokenText === "" ? undefined : readToken(tokenText);
  const sortText = parameters("sort_by") ?? "";
  const sort = sortText === "" && token !== undefined ? { column: token.sort, isDescending: token.isDescending } : readSort(sortText, fields);
  if (token !== undefined && (token.query !== fingerprint || token.sort !== sort.column || token.isDescending !== sort.isDescending)) {
    throw invalid("page_token", "belongs to a list with another filter or order");
  }
  const query: PageQuery = {
    predicates: [...scope, ...filter],
    sortColumn: sort.column,
    isDescending: sort.isDescending,
    pageSize: Math.min(readPageSize(parameters("page_size") ?? ""), largest),
    ...(token === undefined ? {} : { after: { value: token.value, id: token.id } }),
  };
  return {
    query,
    token({ next }) {
      if (next === undefined) return "";
      const after: Token = { ...next, query: fingerprint, sort: sort.column, isDescending: sort.isDescending };
      return Buffer.from(JSON.stringify(after)).toString("base64url");
    },
  };
}

function readPageSize(text: string): number {
  if (text === "") return DEFAULT_PAGE_SIZE;
  const size = Number(text);
  if (!Number.isInteger(size) || size < 0) throw invalid("page_size", `must be a number from 0 to ${MAX_PAGE_SIZE}, not ${JSON.stringify(text)}`);
  return size === 0 ? DEFAULT_PAGE_SIZE : Math.min(size, MAX_PAGE_SIZE);
}

function readSort(text: string, fields: ListFields): { readonly column: string; readonly isDescending: boolean } {
  const [field = "created_at", order = "asc", ...rest] = text
    .trim()
    .split(/\s+/u)
    .filter((word) => word !== "");
  const direction = order.toLowerCase();
  if (rest.length > 0 || (direction !== "asc" && direction !== "desc"))
    throw invalid("sort_by", `must be "<field> asc" or "<field> desc", not ${JSON.stringify(text)}`);
  return { column: columnOf(field.toLowerCase(), fields, "sort_by"), isDescending: direction === "desc" };
}

function columnOf(field: string, fields: ListFields, path: string): string {
  const column = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (column === undefined) throw invalid(path, `unknown field ${JSON.stringify(field)}; known are ${Object.keys(fields).join(", ")}`);
  return column;
}

/** A filter's JSON; as upstream, one that was URL-encoded once more is understood, too. */
function filterJson(text: string): JsonValue {
  for (const decode of [(raw: string) => raw, (raw: string) => decodeURIComponent(raw.replaceAll("+", " "))]) {
    try {
      const value: JsonValue = JSON.parse(decode(text));
      return value;
    } catch {
      // Written in another way, or not at all: refused below.
    }
  }
  throw invalid("filter", "is not JSON");
}

function readToken(text: string): Token {
  try {
    const value: JsonValue = JSON.parse(Buffer.from(text, "base64url").toString());
    if (isJsonObject(value)) {
      const { value: after, id, query, sort, isDescending } = value;
      if ((typeof after === "string" || typeof after === "number") && typeof id === "string" && typeof query === "string") {
        if (typeof sort === "string" && typeof isDescending === "boolean") return { value: after, id, query, sort, isDescending };
      }
    }
  } catch {
    // Not a token: refused below.
  }
  throw new ApiError("BadRequest", "page_token: is not one that this server gave");
}

function readFilter(text: string, fields: ListFields): Predicate[] {
  if (text === "") return [];
  return new Message(filterJson(text), "filter", FILTER).messages("predicates", PREDICATE).map((predicate) => readPredicate(predicate, fields));
}

function readPredicate(predicate: Message, fields: ListFields): Predicate {
  const named = predicate.text("operation");
  if (named === "" || named === "OPERATION_UNSPECIFIED") throw invalid(predicate.at("operation"), "must be given");
  const operation = named as Operation;
  const field = predicate.required("key");
  const isTag = field.startsWith(TAG_PREFIX) && Object.hasOwn(fields, "tags.<key>");
  const column = isTag ? TAGS["tags.<key>"] : columnOf(field, fields, predicate.at("key"));
  const [name, another] = VALUES.filter((value) => predicate.has(value));
  if (name === undefined || another !== undefined) throw invalid(predicate.at("key"), `needs exactly one of ${VALUES.join(", ")}`);
  if (name.endsWith("s") !== (operation === "IN")) throw invalid(predicate.at(name), `does not fit ${operation}`);
  if (operation === "IS_SUBSTRING" && name !== "string_value") throw invalid(predicate.at(name), "IS_SUBSTRING takes a string_value");
  const value = predicate.value(name) ?? "";
  const holder = isJsonObject(value) ? (value["values"] ?? []) : [value];
  const values: readonly JsonValue[] = Array.isArray(holder) ? holder : [];
  if (isTag) {
    if (operation !== "EQUALS" || name !== "string_value")
      throw invalid(predicate.at("operation"), "tags can only be compared by EQUALS with a string_value");
    return { column, member: field.slice(TAG_PREFIX.length), operation, values: values.map(String) };
  }
  if (!column.endsWith("_at")) return { column, operation, values: values.map(String) };
  return { column, isTime: true, operation, values: values.map((time) => secondsOf(time, predicate.at(name))) };
}

/** A time as clients see it: in whole seconds. */
function secondsOf(value: JsonValue, path: string): number {
  const isNumber = typeof value === "number" || /^-?\d+$/u.test(String(value));
  const seconds = isNumber ? Number(value) : Math.floor(Date.parse(String(value)) / 1000);
  if (Number.isNaN(seconds)) throw invalid(path, `${JSON.stringify(value)} is not a time`);
  return seconds;
}
