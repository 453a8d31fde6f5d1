import type { Clock } from "@sluice/controller";
import type { UnknownObject } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { History } from "../store/history.ts";
import { WatchStream } from "./watch-stream.ts";

const thing = (name: string, resourceVersion: number): UnknownObject => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name, resourceVersion: String(resourceVersion) },
});

test("a bookmark that falls due while a change is on its way comes after it", async () => {
  const history = new History({ events: 10, length: 1000 }, 1);
  const due = Promise.withResolvers<void>();
  let sleeps = 0;
  const clock: Clock = { now: () => 0, sleep: () => (sleeps++ === 0 ? due.promise : new Promise(() => {})) };
  let revision = 1;
  const stream = new WatchStream({
    ...{ initial: [], timeoutMs: undefined, signal: undefined, clock },
    source: history.watch("things", { from: 1 }),
    convert: ({ type, object }) => ({ type, object }),
    bookmark: () => ({ type: "BOOKMARK", object: thing("", revision) }),
  });
  const first = stream.next();
  await new Promise(setImmediate);
  due.resolve();
  queueMicrotask(() => {
    revision = 2;
    history.publish([{ type: "ADDED", resource: "things", revision, object: thing("a", revision), length: 1 }]);
  });
  expect((await first).value).toMatchObject({ type: "ADDED" });
  expect((await stream.next()).value).toMatchObject({ type: "BOOKMARK", object: { metadata: { resourceVersion: "2" } } });
});
