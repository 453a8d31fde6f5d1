import { expect, test } from "vitest";
import { WIDE } from "../specs.fixture.ts";
import { useRest } from "./rest.fixture.ts";

const rest = useRest();

interface Event {
  readonly event: string;
  readonly data: {
    readonly run?: { readonly state: string; readonly pipeline_spec?: object };
    readonly tasks?: readonly { readonly task_id: string; readonly state: string }[];
  };
}

/** The events of a stream as they come. */
async function* events(response: Response): AsyncGenerator<Event> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const value = (name: string): string => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
      if (value("event") !== "") yield { event: value("event"), data: JSON.parse(value("data")) as Event["data"] };
    }
  }
}

test("a run is told whole, some tasks at a time, then as it changes, until it is over; and again to whoever comes back", async () => {
  rest.world.work = () => ({ hangs: true });
  const items = Array.from({ length: 400 }, (_, index) => index);
  const run = await rest.run({ pipeline_spec: WIDE, runtime_config: { parameters: { items } } });
  await expect.poll(async () => (await rest.ok("GET", `/runs/${run}?view=DEFAULT`))["task_count"], { timeout: 20_000 }).toBe(802);
  for (const round of [1, 2]) {
    const stream = events(await rest.send("GET", `/runs/${run}:watch`));
    const seen = new Map<string, string>();
    let [specs, batches] = [0, 0];
    while (seen.size < 802) {
      const { value } = (await stream.next()) as IteratorYieldResult<Event>;
      batches++;
      if (value.data.run?.pipeline_spec !== undefined) specs++;
      expect(value.data.tasks?.length).toBeLessThanOrEqual(500);
      for (const { task_id, state } of value.data.tasks ?? []) seen.set(task_id, state);
    }
    expect([specs, batches > 1]).toEqual([1, true]);
    if (round === 1) {
      await stream.return(undefined);
      continue;
    }
    await rest.ok("POST", `/runs/${run}:terminate`);
    let last = "";
    for await (const { event, data } of stream) {
      last = event;
      for (const { task_id, state } of data.tasks ?? []) seen.set(task_id, state);
    }
    expect([last, [...seen.values()].every((state) => state === "CANCELED")]).toEqual(["end", true]);
  }
});

test("a reader that is slow is told the last state of a task once, not every step", async () => {
  const run = await rest.run();
  const response = await rest.send("GET", `/runs/${run}:watch`);
  await rest.reaches(run, "FAILED");
  const all: Event[] = [];
  for await (const one of events(response)) all.push(one);
  const told = all.flatMap(({ data }) => data.tasks ?? []).map(({ task_id }) => task_id);
  expect(all.at(-1)?.event).toBe("end");
  expect(told.length).toBeLessThanOrEqual(2 * new Set(told).size);
});

test("a run that is over is told once", async () => {
  const run = await rest.run();
  await rest.reaches(run, "FAILED");
  const all: string[] = [];
  for await (const { event } of events(await rest.send("GET", `/runs/${run}:watch`))) all.push(event);
  expect(all).toEqual(["run", "end"]);
});
