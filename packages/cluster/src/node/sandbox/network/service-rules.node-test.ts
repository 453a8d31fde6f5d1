import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runProgram } from "../run-program.ts";
import type { ServiceRoute } from "./service-route.ts";
import { ServiceRules } from "./service-rules.ts";

const options = { program: "nft", bridge: "", range: "10.96.0.0/16" };
let rules: ServiceRules;
beforeEach(async () => {
  options.bridge = `sl${randomBytes(3).toString("hex")}`;
  rules = await ServiceRules.open(options);
});
afterEach(() => rules[Symbol.asyncDispose]());

const table = (): string => `${options.bridge}-services`;
const listed = async (): Promise<string> => (await runProgram(["nft", "list", "table", "ip", table()])).stdout;
const endpoints = [1, 2, 3].map((number) => ({ address: `10.250.0.${number}`, port: 8080 }));
const sticky: ServiceRoute = { name: "default/web:http", address: "10.96.250.7", port: 80, protocol: "TCP", affinitySeconds: 600, endpoints };
const setOf = (text: string, address: string): string =>
  /update @(\S+)/u.exec(text.split(`dnat to ${address}:`)[0]?.split("chain ").at(-1) ?? "")?.[1] ?? "none";

test("who went where is remembered over a change of routes, and forgotten with the endpoint", async () => {
  await rules.apply([sticky]);
  const set = setOf(await listed(), "10.250.0.2");
  const other = setOf(await listed(), "10.250.0.1");
  expect(await runProgram(["nft", "add", "element", "ip", table(), set, "{ 10.250.0.9 }"])).toMatchObject({ code: 0 });
  await rules.apply([
    { ...sticky, endpoints: endpoints.slice(1) },
    { ...sticky, port: 81, affinitySeconds: undefined },
    { ...sticky, port: 82, endpoints: [] },
  ]);
  const text = await listed();
  expect(text).toMatch(new RegExp(`set ${set} \\{[^}]*elements = \\{ 10\\.250\\.0\\.9`, "u"));
  expect(text).not.toContain(other);
  expect(text.match(/iifname .* jump services/gu)).toHaveLength(1);
  await rules.apply([]);
  expect(await listed()).not.toContain(set);
});

test("the next process takes the table over, and nothing is left in the end", async () => {
  await rules.apply([sticky]);
  const next = await ServiceRules.open(options);
  expect(await listed()).toContain("10.250.0.2");
  await next.apply([{ ...sticky, endpoints: endpoints.slice(0, 1) }]);
  expect(await listed()).not.toContain("10.250.0.2");
  await next[Symbol.asyncDispose]();
  expect(await listed()).toBe("");
});
