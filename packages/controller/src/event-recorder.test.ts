import { Event } from "@sluice/kubernetes";
import { expect, onTestFinished, test } from "vitest";
import { createEventRecorder, type EventContent, type EventRecorder } from "./event-recorder.ts";
import { FakeApi, THINGS } from "./fake-client.ts";
import { FakeClock } from "./fake-clock.ts";

function start(api: FakeApi): { recorder: EventRecorder; clock: FakeClock } {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const clock = new FakeClock();
  return { recorder: createEventRecorder({ client: api.client, clock, component: "tester", signal: stop.signal }), clock };
}

const made: EventContent = { type: "Normal", reason: "Made", message: "made it" };
const events = async (api: FakeApi): Promise<Event[]> => (await api.client.list(Event)).items;

test("writes an event, and counts its repetitions in place", async () => {
  const api = new FakeApi();
  const thing = api.put(THINGS, "a");
  const { recorder, clock } = start(api);
  recorder.record(thing, made);
  await clock.advance(60_000);
  recorder.record(thing, made);
  recorder.record(thing, made);
  await clock.advance(100);
  const [event, ...others] = await events(api);
  expect(others).toEqual([]);
  expect(event).toMatchObject({
    metadata: { namespace: "n", name: expect.stringMatching(/^a\.[0-9a-f]+$/) },
    involvedObject: { apiVersion: "test/v1", kind: "Thing", namespace: "n", name: "a", uid: "a", resourceVersion: "1" },
    ...made,
    source: { component: "tester" },
    count: 3,
    firstTimestamp: "1970-01-01T00:00:00Z",
    lastTimestamp: "1970-01-01T00:01:00Z",
  });
});

test("says it anew when the event has expired, and survives an API that refuses", async () => {
  const api = new FakeApi();
  const thing = api.put(THINGS, "a");
  const { recorder, clock } = start(api);
  recorder.record(thing, made);
  await clock.advance(100);
  api.remove(Event, (await events(api))[0]!.metadata.name);
  api.refusing = true;
  recorder.record(thing, { ...made, reason: "Lost" });
  await clock.advance(100);
  api.refusing = false;
  recorder.record(thing, made);
  await clock.advance(100);
  expect((await events(api)).map(({ reason }) => reason)).toEqual(["Made"]);
});
