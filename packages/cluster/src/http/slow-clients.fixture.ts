/** A server for clients that are slow: does what its parent says, and answers with the memory that it holds. */
import { setImmediate as turn } from "node:timers/promises";
import type { UnknownObject } from "@sluice/kubernetes";
import { openWorld } from "../api-server/world.fixture.ts";
import { openStore } from "../store/store.ts";
import { serveWorld } from "./serve-world.fixture.ts";

/** What the parent says: write an object so often, of so many characters, under one name or many. */
export interface Order {
  readonly writes: number;
  readonly length: number;
  readonly isOne: boolean;
}

/** What the server answers. */
export interface Report {
  readonly port: number;
  readonly authority: string;
  readonly residentBytes: number;
}

const store = await openStore({ path: ":memory:", historyLength: 4 * 1024 * 1024 });
const world = await openWorld({ store });
const served = await serveWorld(world);
let count = 0;

process.on("message", (order: Order) => void obey(order));
process.on("disconnect", () => void served[Symbol.asyncDispose]().then(() => world[Symbol.asyncDispose]()));
await obey({ writes: 1, length: 1, isOne: true });

async function obey({ writes, length, isOne }: Order): Promise<void> {
  for (let index = 0; index < writes; index++) {
    const name = isOne ? "one" : `many-${count}`;
    const value = `${count++}`.padEnd(length, "x");
    const object: UnknownObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { value } };
    await store.write("configmaps", { namespace: "default", name }, () => object);
    await turn();
  }
  globalThis.gc?.();
  const report: Report = { port: served.port, authority: served.authority, residentBytes: process.memoryUsage.rss() };
  process.send?.(report);
}
