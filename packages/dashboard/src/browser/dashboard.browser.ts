import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Browser } from "playwright-core";
import type { RunState } from "@sluice/sdk";
import { launch, open } from "./browser.fixture.ts";
import { digitsWork } from "./digits-work.fixture.ts";
import { DIGITS, WIDE, BROAD } from "./pipelines.fixture.ts";
import { Server } from "./server.fixture.ts";

let browser: Browser;
let server: Server;
beforeAll(async () => {
  browser = await launch();
  server = new Server();
  await server.start();
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
});

const reaches = (id: string, state: RunState): Promise<void> =>
  vi.waitFor(async () => expect((await server.client.getRun(id)).state).toBe(state), { timeout: 15_000, interval: 20 });

test("look", async () => {
  const empty = await open(browser, server.url);
  await empty.page.getByText("No runs yet").waitFor();
  await empty.shoot("empty-light");
  const { world } = server;
  const rates = { rates: [0.01, 0.1, 0.2] };
  world.work = digitsWork(world.blobs);
  const done = await server.submit("digits 2026-11-24", DIGITS, rates);
  await reaches(done, "SUCCEEDED");
  const cached = await server.submit("digits again", DIGITS, rates);
  await reaches(cached, "SUCCEEDED");
  world.work = digitsWork(world.blobs, { fails: "evaluate" });
  const failed = await server.submit("digits with a broken evaluation", DIGITS, { rates: [0.3, 0.4], source: "other" });
  await reaches(failed, "FAILED");
  server.hold("train");
  const work = digitsWork(world.blobs);
  world.work = (pod) => (server.isHeld(pod) ? { hangs: true } : work(pod));
  const live = await server.submit("digits live", DIGITS, { rates: [0.5, 0.6], source: "live" });
  const wide = await server.submit("a thousand steps", WIDE, { items: Array.from({ length: 1000 }, (_, index) => index) });
  await reaches(wide, "SUCCEEDED");
  await reaches(await server.submit("broad", BROAD), "SUCCEEDED");
  for (const scheme of ["light", "dark"] as const) {
    const list = await open(browser, server.url, { scheme });
    await list.page.getByText("digits again").waitFor();
    await list.shoot(`list-${scheme}`);
    const run = await open(browser, `${server.url}/#/runs/details/${done}`, { scheme });
    await run.page.getByText("evaluate").first().waitFor();
    await run.page.waitForTimeout(600);
    await run.shoot(`run-${scheme}`);
    await run.page.goto(`${server.url}/#/runs/details/${done}?task=root.evaluate&tab=values`);
    await run.page.waitForTimeout(900);
    await run.shoot(`run-values-${scheme}`);
    console.log(list.problems, run.problems);
  }
  const run = await open(browser, `${server.url}/#/runs/details/${failed}?task=root.evaluate`);
  await run.page.waitForTimeout(600);
  await run.shoot(`run-failed`);
  await run.page.getByRole("tab", { name: "Log" }).click();
  await run.page.waitForTimeout(600);
  await run.shoot(`run-failed-log`);
  await run.page.goto(`${server.url}/#/runs/details/${live}`);
  await run.page.waitForTimeout(600);
  await run.shoot(`run-live`);
  await run.page.goto(`${server.url}/#/runs/details/${cached}?view=tasks&task=root.prepare`);
  await run.page.waitForTimeout(600);
  await run.shoot(`run-tasks`);
  await run.page.goto(`${server.url}/#/runs/details/${wide}?in=root.for-loop-1`);
  await run.page.waitForTimeout(800);
  await run.shoot(`run-wide`);
  console.log(run.problems);
});
