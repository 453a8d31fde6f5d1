import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { fileURLToPath } from "node:url";
import type { WatchEvent } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Order, Report } from "./slow-clients.fixture.ts";

const MEGABYTE = 1024 * 1024;
const MAPS = "/api/v1/namespaces/default/configmaps";
let server: ChildProcess;
let agent: Agent;
let started: Report;

beforeEach(async () => {
  server = fork(fileURLToPath(new URL("./slow-clients.fixture.ts", import.meta.url)), { execArgv: ["--expose-gc"] });
  [started] = (await once(server, "message")) as [Report];
  agent = new Agent({ ca: started.authority, keepAlive: false });
});
afterEach(async () => {
  agent.destroy();
  server.disconnect();
  await once(server, "exit");
});

/** Has the server write, and returns what it then holds, in MB. */
async function order(what: Order): Promise<number> {
  server.send(what);
  const [report] = (await once(server, "message")) as [Report];
  return report.residentBytes / MEGABYTE;
}

/** Opens requests whose answers nobody reads. */
function open(count: number, path: string): Promise<IncomingMessage[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const outgoing = request({ host: "127.0.0.1", port: started.port, agent, path, headers: { authorization: "Bearer anybody" } });
      outgoing.end();
      const [response] = (await once(outgoing, "response")) as [IncomingMessage];
      return response;
    }),
  );
}

test("watchers that do not read cost next to nothing, and learn that they have missed something", { timeout: 60_000 }, async () => {
  const before = await order({ writes: 20, length: MEGABYTE, isOne: true });
  const watchers = await open(200, `${MAPS}?watch=1`);
  // As many as 200 buffers would need 8 GB for.
  const after = await order({ writes: 40, length: MEGABYTE, isOne: true });
  expect(after - before).toBeLessThan(200);
  for (const watcher of watchers.slice(0, 20)) {
    const lines = (await watcher.toArray()).join("").trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "") as WatchEvent).toMatchObject({ type: "ERROR", object: { code: 410, reason: "Expired" } });
  }
});

test("lists that nobody reads are not put together", { timeout: 60_000 }, async () => {
  const before = await order({ writes: 2000, length: 20_000, isOne: false });
  const lists = await open(100, MAPS);
  const after = await order({ writes: 1, length: 1, isOne: true });
  // In one piece each they would be 4 GB.
  expect(after - before).toBeLessThan(200);
  const { items } = JSON.parse((await lists[0]!.toArray()).join("")) as { items: unknown[] };
  expect(items.length).toBeGreaterThan(2000);
});
