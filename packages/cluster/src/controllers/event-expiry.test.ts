import { FakeClock } from "@sluice/controller/fake-clock";
import { Event } from "@sluice/kubernetes";
import { expect, test } from "vitest";
import { gone, quiet, startTestCluster } from "./control-plane.fixture.ts";

test("an event goes an hour after it was last seen", async () => {
  const clock = new FakeClock();
  const { client } = await startTestCluster({ clock });
  const key = { namespace: "default", name: "e" };
  await client.create(Event, { apiVersion: "v1", kind: "Event", metadata: key, involvedObject: {}, lastTimestamp: "1970-01-01T00:00:00Z" });
  await quiet();
  await clock.advance(1_800_000);
  await client.patch(Event, key, { type: "merge", body: { lastTimestamp: "1970-01-01T00:30:00Z" } });
  await clock.advance(3_599_000);
  await quiet();
  expect(await client.find(Event, key)).toBeDefined();
  await clock.advance(1000);
  await gone(client, Event, key);
});
