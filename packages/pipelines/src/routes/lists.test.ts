import { beforeEach, expect, test } from "vitest";
import { filter, pick, query, useRest } from "./rest.fixture.ts";

const rest = useRest();
const NAMES = ["e", "b", "d_1", "a", "dx1"];

beforeEach(async () => {
  for (const display_name of NAMES) {
    await rest.ok("POST", "/experiments", { display_name, description: `about ${display_name}` });
    // What is made within one millisecond has no order.
    rest.world.elapsed += 1000;
  }
});

const list = (parameters: Record<string, string>): Promise<Readonly<Record<string, unknown>>> => rest.ok("GET", `/experiments${query(parameters)}`);
const names = async (...predicates: object[]): Promise<unknown> =>
  pick(await list({ filter: filter(...predicates), sort_by: "name" }), "experiments", "display_name");

test.each([
  ["display_name", ["a", "b", "d_1", "dx1", "e"]],
  ["NAME ASC", ["a", "b", "d_1", "dx1", "e"]],
  ["name desc", ["e", "dx1", "d_1", "b", "a"]],
  ["created_at", NAMES],
  ["created_at desc", [...NAMES].reverse()],
  ["", NAMES],
])("a list in the order %j is paged, and tells how many there are", async (sort_by, expected) => {
  const seen: unknown[] = [];
  let token = "";
  do {
    // Later pages may leave out what the first one asked for.
    const page = await list({ page_size: "2", page_token: token, ...(token === "" ? { sort_by } : {}) });
    expect(page["total_size"]).toBe(5);
    seen.push(...pick(page, "experiments", "display_name"));
    token = String(page["next_page_token"] ?? "");
  } while (token !== "");
  expect(seen).toEqual(expected);
});

test("the size of a page is 20 unless said otherwise, and never more than 200", async () => {
  for (let index = 0; index < 20; index++) await rest.ok("POST", "/experiments", { display_name: `more ${index}` });
  expect(pick(await list({}), "experiments", "display_name")).toHaveLength(20);
  expect(pick(await list({ page_size: "0" }), "experiments", "display_name")).toHaveLength(20);
  expect(pick(await list({ page_size: "1000" }), "experiments", "display_name")).toHaveLength(25);
  expect(pick(await list({ pageSize: "3" }), "experiments", "display_name")).toHaveLength(3);
});

test.each([
  [{ operation: "EQUALS", key: "display_name", string_value: "a" }, ["a"]],
  [{ operation: "EQUALS", key: "display_name", stringValue: "" }, []],
  [{ operation: "NOT_EQUALS", key: "name", string_value: "a" }, ["b", "d_1", "dx1", "e"]],
  [{ operation: "GREATER_THAN", key: "name", string_value: "dx1" }, ["e"]],
  [{ operation: "GREATER_THAN_EQUALS", key: "name", string_value: "dx1" }, ["dx1", "e"]],
  [{ operation: "LESS_THAN", key: "name", string_value: "b" }, ["a"]],
  [{ operation: "LESS_THAN_EQUALS", key: "name", string_value: "b" }, ["a", "b"]],
  [{ operation: "IN", key: "name", string_values: { values: ["a", "e", "z"] } }, ["a", "e"]],
  [{ operation: "IN", key: "name", string_values: { values: [] } }, []],
  [{ operation: "IS_SUBSTRING", key: "name", string_value: "D_" }, ["d_1"]],
  [{ operation: "EQUALS", key: "description", string_value: "about b" }, ["b"]],
  [{ operation: "EQUALS", key: "namespace", string_value: "other" }, []],
  [{ operation: "EQUALS", key: "storage_state", string_value: "ARCHIVED" }, []],
  [{ operation: "GREATER_THAN", key: "created_at", timestampValue: "2020-01-01T00:00:00Z" }, ["a", "b", "d_1", "dx1", "e"]],
  [{ operation: "LESS_THAN", key: "created_at", int_value: 1_577_836_800 }, []],
  [{ operation: "LESS_THAN", key: "created_at", long_value: "1577836800" }, []],
  [{ operation: "EQUALS", key: "last_run_created_at", long_value: 0 }, ["a", "b", "d_1", "dx1", "e"]],
])("the filter %j", async (predicate, expected) => {
  expect(await names(predicate)).toEqual(expected);
});

test("predicates all hold, and a filter may be URL-encoded once more", async () => {
  const both = [
    { operation: "IS_SUBSTRING", key: "name", string_value: "d" },
    { operation: "NOT_EQUALS", key: "name", string_value: "dx1" },
  ];
  expect(await names(...both)).toEqual(["d_1"]);
  expect((await list({ filter: encodeURIComponent(filter(...both)) }))["total_size"]).toBe(1);
  expect((await list({ filter: "{}" }))["total_size"]).toBe(5);
});

test.each([
  { page_size: "-1" },
  { page_size: "many" },
  { sort_by: "nope" },
  { sort_by: "name sideways" },
  { sort_by: "name asc please" },
  { filter: "{" },
  { filter: "[]" },
  { filter: '{"predicate":[]}' },
  { page_token: "x" },
  { namespace: "Not a name" },
  { filter: filter({ operation: "EQUALS", key: "password", string_value: "x" }) },
  { filter: filter({ operation: "EQUALS", key: "tags.team", string_value: "x" }) },
  { filter: filter({ operation: "EQUALS", key: "name" }) },
  { filter: filter({ operation: "LIKE", key: "name", string_value: "x" }) },
  { filter: filter({ key: "name", string_value: "x" }) },
  { filter: filter({ operation: "IN", key: "name", string_value: "x" }) },
  { filter: filter({ operation: "EQUALS", key: "name", string_values: { values: ["x"] } }) },
  { filter: filter({ operation: "EQUALS", key: "name", string_value: "x", int_value: 1 }) },
  { filter: filter({ operation: "IS_SUBSTRING", key: "name", int_value: 1 }) },
  { filter: filter({ operation: "EQUALS", key: "name", int_value: "one" }) },
  { filter: filter({ operation: "EQUALS", key: "name", int_value: 2 ** 31 }) },
  { filter: filter({ operation: "EQUALS", key: "created_at", string_value: "yesterday" }) },
])("%j is refused", async (parameters) => {
  expect(await rest.refused("GET", `/experiments${query(parameters as never)}`)).toMatchObject({ status: 400, code: 3 });
});

test("a page's token belongs to its filter, its order and its namespace", async () => {
  const page_token = String((await list({ page_size: "1", sort_by: "name" }))["next_page_token"]);
  for (const other of [
    { sort_by: "name desc" },
    { filter: filter({ operation: "EQUALS", key: "name", string_value: "a" }) },
    { namespace: "other" },
  ]) {
    expect(await rest.refused("GET", `/experiments${query({ page_token, sort_by: "name", ...other })}`)).toMatchObject({ status: 400 });
  }
});

test("a list is of one namespace", async () => {
  await rest.ok("POST", "/experiments", { display_name: "there", namespace: "other" });
  expect(pick(await list({ namespace: "other" }), "experiments", "display_name")).toEqual(["there"]);
  expect((await list({ namespace: "-" }))["total_size"]).toBe(5);
});
