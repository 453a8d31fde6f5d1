import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { RunState } from "@sluice/sdk";
import { launch, open, SCREENSHOTS, type Look, type Opened } from "./browser.fixture.ts";
import { digitsWork } from "./digits-work.fixture.ts";
import { BROAD, DIGITS, SINGLE, WIDE } from "./pipelines.fixture.ts";
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
  process.stdout.write(`screenshots: ${SCREENSHOTS}\n`);
});

const look = (path = "", options: Look = {}): Promise<Opened> => open(browser, `${server.url}/${path}`, options);
const reaches = (id: string, state: RunState): Promise<void> =>
  vi.waitFor(async () => expect((await server.client.getRun(id)).state).toBe(state), { timeout: 20_000, interval: 20 });
const stateOf = (page: Page, name: string): ReturnType<Page["locator"]> => page.getByRole("row").filter({ hasText: name });
const settled = (page: Page): Promise<void> => page.waitForLoadState("networkidle").catch(() => undefined);

/** Whether a box is where a page of the usual size shows its graph. */
const isInView = (box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number } | null): boolean =>
  box !== null && box.x >= 200 && box.y >= 120 && box.x + box.width <= 1360 && box.y + box.height <= 860;

/** A page must have nothing to say on the console, but what a test expects. */
const closeClean = async ({ page, problems }: Opened, expected?: RegExp): Promise<void> => {
  await page.context().close();
  expect(problems.filter((problem) => expected?.test(problem) !== true)).toEqual([]);
};

describe("without runs", () => {
  test("the list teaches the first command", async () => {
    const opened = await look();
    await opened.page.getByRole("heading", { name: "No runs yet" }).waitFor();
    expect(await opened.page.getByText("npx sluice run submit pipeline.yaml").isVisible()).toBe(true);
    expect(await opened.page.title()).toBe("Runs · Sluice");
    await opened.shoot("list-empty");
    await closeClean(opened);
  });

  test("what is on its way has its place already", async () => {
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
    const page = await context.newPage();
    await page.route("**/apis/v2beta1/runs?*", () => undefined);
    await page.goto(server.url);
    await page.locator("table[class], [aria-busy=true]").first().waitFor();
    await page.screenshot({ path: `${SCREENSHOTS}/list-loading.png` });
    await context.close();
  });

  test("a run that is not there is said to be not there", async () => {
    const opened = await look("#/runs/details/nowhere");
    await opened.page.getByRole("heading", { name: "There is no such run" }).waitFor();
    await opened.page.getByText("run nowhere not found").waitFor();
    await opened.shoot("run-missing");
    await opened.page.context().close();
  });
});

describe("a run", () => {
  const rates = { rates: [0.01, 0.1, 0.2] };

  test("appears in an open list by itself, and its end as well", async () => {
    const opened = await look();
    const { page } = opened;
    await page.getByRole("heading", { name: "No runs yet" }).waitFor();
    server.hold("single");
    server.world.work = (pod) => (server.isHeld(pod) ? { hangs: true, log: "begun\n" } : {});
    const id = await server.submit("first of all", SINGLE);
    await stateOf(page, "first of all").getByText("Running").waitFor();
    await vi.waitFor(() => expect(server.world.pods().some(({ status }) => status?.phase === "Running")).toBe(true));
    await server.release("single");
    await reaches(id, "SUCCEEDED");
    await stateOf(page, "first of all").getByText("Succeeded").waitFor();
    await closeClean(opened);
  });

  test("is drawn live, from its first task to its last", async () => {
    const work = digitsWork();
    server.hold("train");
    server.world.work = (pod) => (server.isHeld(pod) ? { ...work(pod), hangs: true } : work(pod));
    const id = await server.submit("digits live", DIGITS, { ...rates, source: "live" });
    const opened = await look(`#/runs/details/${id}`);
    const { page } = opened;
    await page.getByLabel("train, RUNNING").first().waitFor();
    expect(await page.getByLabel("train, RUNNING").count()).toBe(3);
    expect(await page.getByLabel("choose, NONE").count()).toBe(1);
    await vi.waitFor(async () => expect(await page.title()).toBe("Running: digits live · Sluice"));
    await opened.shoot("run-live");
    for (const _ of rates.rates) await server.release("train", { parameters: { accuracy: 0.95 }, artifacts: [] });
    await reaches(id, "SUCCEEDED");
    await page.getByLabel("publish, SUCCEEDED").waitFor();
    await page.getByLabel("condition-2, SKIPPED").waitFor();
    expect(await page.title()).toBe("Succeeded: digits live · Sluice");
    // The skipped branch has closed, and the whole graph is in view again.
    for (const label of ["prepare, SUCCEEDED", "publish, SUCCEEDED", "condition-2, SKIPPED"])
      await vi.waitFor(async () => expect(await page.getByLabel(label).boundingBox()).toSatisfy(isInView));
    await closeClean(opened);
  });

  test.each(["light", "dark"] as const)("shows values, artifacts and logs of its tasks, %s", async (scheme) => {
    server.world.work = digitsWork();
    const id = await server.submit("digits", DIGITS, rates);
    await reaches(id, "SUCCEEDED");
    const opened = await look(`#/runs/details/${id}`, { scheme });
    const { page } = opened;
    await page.getByLabel("evaluate, ", { exact: false }).first().click();
    await page.getByRole("tab", { name: "Inputs & outputs" }).click();
    expect(page.url()).toContain("task=root.evaluate&tab=values");
    await opened.shoot(`run-${scheme}`);
    await page.getByRole("table").getByText("198").waitFor();
    await page.getByRole("img", { name: /ROC curve, area 0\.9/u }).waitFor();
    const report = page.frameLocator("iframe");
    await report.getByText("drawn by a script of origin null").waitFor();
    await page.locator("iframe").scrollIntoViewIfNeeded();
    await opened.shoot(`artifact-html-${scheme}`);
    const summary = page.getByRole("region", { name: "Artifact summary" });
    await summary.getByRole("heading", { name: "The best model" }).scrollIntoViewIfNeeded();
    expect(await summary.getByRole("link", { name: "the data" }).getAttribute("href")).toBe("https://example.com/mnist");
    await summary.getByText('<script>alert("no")</script>').waitFor();
    await opened.shoot(`artifact-markdown-${scheme}`);
    await page.getByRole("region", { name: "Artifact predictions" }).getByRole("button", { name: "Preview" }).click();
    await page.getByText('"digit": 7').waitFor();
    const files = page.getByRole("region", { name: "Artifact files" });
    await files.getByRole("button", { name: "Preview" }).click();
    await files.getByRole("button", { name: "part-1.txt" }).click();
    await files.getByText("plain text").waitFor();
    await page.getByLabel("train, ", { exact: false }).first().click();
    await page.getByRole("tab", { name: "Inputs & outputs" }).click();
    await page.getByText("0.123457").waitFor();
    await opened.shoot(`metrics-${scheme}`);
    // Finding out that an artifact is a directory takes an answer of 404, which browsers log.
    await closeClean(opened, /404/u);
  });

  test("says why a task failed, why one was cached, and takes a retry", async () => {
    server.world.work = digitsWork({ fails: "evaluate" });
    const id = await server.submit("digits broken", DIGITS, { rates: [0.3, 0.4], source: "broken" });
    await reaches(id, "FAILED");
    const opened = await look(`#/runs/details/${id}`);
    const { page } = opened;
    await page.getByText("exited with code 1: ValueError: could not convert string to float: 'seven'").waitFor();
    await page.getByRole("button", { name: "Show evaluate" }).click();
    await page.getByText("Traceback (most recent call last):").waitFor();
    await opened.shoot("run-failed");
    await page.getByRole("tab", { name: "Log" }).click();
    await page.getByRole("log").getByText('File "evaluate.py", line 12').waitFor();
    await opened.shoot("run-failed-log");
    server.world.work = digitsWork();
    await page.getByRole("button", { name: "Retry what failed" }).click();
    await page.getByText("What failed is started again").waitFor();
    await reaches(id, "SUCCEEDED");
    await page.getByLabel("evaluate, SUCCEEDED").waitFor();
    await page.getByRole("banner").or(page.locator("header")).getByText("Succeeded").first().waitFor();

    const again = await server.submit("digits cached", DIGITS, { rates: [0.3, 0.4], source: "broken" });
    await reaches(again, "SUCCEEDED");
    await page.goto(`${server.url}/#/runs/details/${again}?view=tasks&task=root.prepare`);
    await page.getByText("Taken from the cache.").waitFor();
    await page.getByRole("button", { name: "Make the panel wider" }).click();
    await vi.waitFor(async () => expect((await page.locator("tbody td").first().boundingBox())?.width).toBeGreaterThan(120));
    await opened.shoot("run-tasks");
    await closeClean(opened);
  });

  test("is terminated after a question, archived, restored and deleted", async () => {
    server.hold("single");
    server.world.work = () => ({ hangs: true });
    const id = await server.submit("unloved", SINGLE);
    const opened = await look(`#/runs/details/${id}`);
    const { page } = opened;
    await page.getByRole("button", { name: "Terminate" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("Terminate this run?").waitFor();
    await opened.shoot("confirm");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    expect((await server.client.getRun(id)).state).toBe("RUNNING");
    await page.getByRole("button", { name: "Terminate" }).click();
    await dialog.getByRole("button", { name: "Terminate" }).click();
    await page.getByText("Canceled", { exact: true }).first().waitFor();
    await page.goto(`${server.url}/#/runs/details/${id}?task=root.step&tab=log`);
    await page.getByText("The run was stopped, and the log went with the task's pod.").waitFor();
    await page.getByRole("button", { name: "Actions on unloved" }).click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await page.getByText("Archived", { exact: true }).waitFor();
    await page.goto(`${server.url}/#/runs?archived=true`);
    await page.getByRole("link", { name: "unloved" }).waitFor();
    await page.getByRole("button", { name: "Actions on unloved" }).click();
    await page.getByRole("menuitem", { name: "Restore" }).click();
    await page.getByRole("heading", { name: "Nothing is archived" }).waitFor();
    await page.getByRole("button", { name: "Show all current runs" }).click();
    await page.getByRole("button", { name: "Actions on unloved" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("link", { name: "unloved" }).waitFor({ state: "detached" });
    await expect(server.client.getRun(id)).rejects.toThrow("not found");
    await closeClean(opened);
  });

  test("of a thousand iterations stays fluid", async () => {
    server.world.work = (pod) =>
      server.world.created.length % 97 === 0 && pod.metadata.name.includes("wide") ? { exitCode: 1, log: "unlucky\n" } : {};
    const id = await server.submit("a thousand steps", WIDE, { items: Array.from({ length: 1000 }, (_, index) => index) });
    const opened = await look(`#/runs/details/${id}`);
    const { page } = opened;
    await page.getByText("loop of 1,000").waitFor();
    await opened.shoot("run-wide");
    await reaches(id, "FAILED");
    await page.getByRole("button", { name: "Look into for-loop-1" }).click();
    await page.getByRole("button", { name: /^Iteration 999,/u }).waitFor();
    await opened.shoot("run-iterations");
    await page
      .getByRole("button", { name: /^Iteration \d+, Failed/u })
      .first()
      .click();
    await page.getByRole("navigation", { name: "Where you are in the run" }).getByText(/#\d+/u).waitFor();
    await page.getByLabel("step, FAILED").waitFor();
    await page.getByRole("button", { name: "Whole run" }).click();
    await page.getByRole("button", { name: "Show step" }).click();
    await page.getByLabel("step, FAILED").waitFor();
    await page.getByRole("tab", { name: "Tasks" }).click();
    await page.getByRole("button", { name: "What is in for-loop-1" }).click();
    await page.getByText("2,001 rows").waitFor();
    expect(await page.locator("tbody tr").count()).toBeLessThan(80);
    await closeClean(opened);
  });

  test("of a thousand tasks in one graph is drawn", async () => {
    server.world.work = () => ({});
    const id = await server.submit("broad", BROAD);
    await reaches(id, "SUCCEEDED");
    const opened = await look();
    const { page } = opened;
    await page.getByRole("link", { name: "broad" }).waitFor();
    const started = Date.now();
    await page.goto(`${server.url}/#/runs/details/${id}`);
    await page
      .getByLabel(/^link[-\d]*, SUCCEEDED/u)
      .first()
      .waitFor();
    process.stdout.write(`a graph of 1,000 tasks was drawn in ${Date.now() - started} ms\n`);
    await settled(page);
    await opened.shoot("run-broad");
    await closeClean(opened);
  });
});

describe("a log", () => {
  test("of 100,000 lines is followed, searched and wrapped", async () => {
    const lines = Array.from({ length: 100_000 }, (_, index) =>
      index === 31_337
        ? "here is the \u001b[1;31mneedle\u001b[0m"
        : `\u001b[32m${index}\u001b[0m a line of a long log, ${"wide ".repeat(index % 40)}`,
    );
    server.hold("single");
    server.world.work = () => ({ hangs: true, log: `${lines.join("\n")}\n` });
    const id = await server.submit("talkative", SINGLE);
    await vi.waitFor(() => expect(server.world.pods().some(({ status }) => status?.phase === "Running")).toBe(true));
    const opened = await look(`#/runs/details/${id}?task=root.step&tab=log`);
    const { page } = opened;
    const log = page.getByRole("log");
    await log.getByText("100000", { exact: true }).waitFor();
    expect(await log.locator("mark").count()).toBe(0);
    expect(await page.getByRole("button", { name: "Follow the end" }).getAttribute("aria-pressed")).toBe("true");
    await page.getByRole("searchbox", { name: "Search the log" }).fill("NEEDLE");
    await log.locator("mark", { hasText: "needle" }).waitFor();
    await page.getByText("1 of 1").waitFor();
    expect(await page.getByRole("button", { name: "Follow the end" }).getAttribute("aria-pressed")).toBe("false");
    await page.getByRole("button", { name: "Make the panel wider" }).click();
    await log.locator("mark", { hasText: "needle" }).waitFor();
    await opened.shoot("log-search");
    await page.getByRole("button", { name: "Wrap long lines" }).click();
    await page.getByRole("button", { name: "Follow the end" }).click();
    await log.getByText("100000", { exact: true }).waitFor();
    expect(await log.locator("div > div > div").count()).toBeLessThan(150);
    await opened.shoot("log-end");
    await server.client.terminate(id);
    await closeClean(opened);
  });
});

describe("a server", () => {
  test("that refuses says why, and is asked again", async () => {
    const opened = await look("#/runs?name=x");
    const { page } = opened;
    await page.getByRole("heading", { name: "No run's name contains" }).waitFor();
    let isBroken = true;
    await page.route("**/apis/v2beta1/runs?*", (route) =>
      isBroken ? route.fulfill({ status: 400, json: { code: 3, message: "filter: is too clever" } }) : route.continue(),
    );
    await page.goto(`${server.url}/#/runs?name=digits`);
    await page.getByText("filter: is too clever").waitFor();
    await opened.shoot("list-failing");
    isBroken = false;
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("link", { name: "digits live" }).waitFor();
    expect(opened.problems.every((problem) => problem.includes("400"))).toBe(true);
    await page.context().close();
  });

  test("that goes away is missed, and found again", async () => {
    const opened = await look();
    const { page } = opened;
    await page.getByRole("link", { name: "digits live" }).waitFor();
    await server.stop();
    await page.getByText("Sluice does not answer.").waitFor();
    expect(await page.getByRole("link", { name: "digits live" }).isVisible()).toBe(true);
    await opened.shoot("list-offline");
    await server.start();
    await page.getByText("Sluice does not answer.").waitFor({ state: "detached" });
    server.world.work = () => ({});
    await server.submit("after the outage", SINGLE);
    await page.getByRole("link", { name: "after the outage" }).waitFor();
    await page.context().close();
  });
});

describe("the frame", () => {
  test("fits a narrow window", async () => {
    const { runs } = await server.client.listRuns({ name: "digits broken" });
    const opened = await look("", { width: 420, height: 800 });
    const { page } = opened;
    await page.getByRole("link", { name: "digits live" }).waitFor();
    await opened.shoot("narrow-list");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(420);
    await page.goto(`${server.url}/#/runs/details/${runs[0]?.run_id ?? ""}`);
    await page.getByLabel("prepare, SUCCEEDED").waitFor();
    await opened.shoot("narrow-run");
    await page.getByLabel("prepare, SUCCEEDED").click();
    await page.getByRole("complementary", { name: "Task prepare" }).waitFor();
    await opened.shoot("narrow-task");
    await page.getByRole("button", { name: "Open the navigation" }).click();
    await page.getByRole("link", { name: "Runs" }).first().waitFor();
    await opened.shoot("narrow-navigation");
    await closeClean(opened);
  });

  test.each(["light", "dark"] as const)("follows the system and is told otherwise, %s", async (scheme) => {
    const opened = await look("", { scheme });
    const { page } = opened;
    await page.getByRole("link", { name: "digits live" }).waitFor();
    await opened.shoot(`list-${scheme}`);
    const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const other = scheme === "light" ? "Dark" : "Light";
    const before = await background();
    await page.getByRole("button", { name: "Colours: As the system" }).click();
    await page.getByRole("menuitem", { name: other }).click();
    await vi.waitFor(async () => expect(await background()).not.toBe(before));
    await page.reload();
    await page.getByRole("link", { name: "digits live" }).waitFor();
    expect(await background()).not.toBe(before);
    await closeClean(opened);
  });

  test("is used by keyboard alone", async () => {
    const opened = await look();
    const { page } = opened;
    await page.getByRole("link", { name: "digits live" }).waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Skip to content");
    await page.keyboard.press("Enter");
    for (let steps = 0; steps < 40; steps++) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate(() => document.activeElement?.textContent)) === "digits live") break;
    }
    await page.keyboard.press("Enter");
    await page.getByLabel("prepare, SUCCEEDED").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("complementary", { name: "Task prepare" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("complementary", { name: "Task prepare" }).waitFor({ state: "detached" });
    await closeClean(opened);
  });

  test("knows the addresses that Kubeflow's clients print", async () => {
    const form = new FormData();
    const { compile } = await import("@sluice/sdk");
    form.set("uploadfile", new File([compile(DIGITS)], "digits.yaml"));
    const uploaded = (await (await fetch(`${server.url}/apis/v2beta1/pipelines/upload?name=digits`, { method: "POST", body: form })).json()) as {
      pipeline_id: string;
    };
    const opened = await look(`#/pipelines/details/${uploaded.pipeline_id}`);
    const { page } = opened;
    await page.getByRole("heading", { name: "digits" }).waitFor();
    await page.getByLabel("prepare, NONE").waitFor();
    await opened.shoot("pipeline");
    const { experiments } = await server.client.listExperiments();
    await page.goto(`${server.url}/#/experiments/details/${experiments[0]?.experiment_id ?? ""}`);
    await page.getByRole("heading", { name: "Runs of demo" }).waitFor();
    await page.getByRole("link", { name: "digits live" }).waitFor();
    await page.goto(`${server.url}/#/nowhere`);
    await page.getByRole("heading", { name: "There is no such page" }).waitFor();
    await closeClean(opened);
  });

  test("pages through long lists and filters them", async () => {
    server.world.work = () => ({});
    for (let index = 0; index < 22; index++) await server.submit(`page ${index}`, SINGLE);
    const opened = await look();
    const { page } = opened;
    await page.getByText(/1–20 of \d+ runs/u).waitFor();
    await page.getByRole("button", { name: "Older" }).click();
    await page.getByText(/21–\d+ of \d+ runs/u).waitFor();
    await page.getByRole("link", { name: "page 0" }).waitFor();
    await page.getByRole("button", { name: "Newer" }).click();
    await page.getByRole("link", { name: "page 21" }).waitFor();
    await page.getByRole("searchbox", { name: "Filter by name" }).fill("Page 1");
    await page.getByRole("link", { name: "page 21" }).waitFor({ state: "detached" });
    expect(await page.getByRole("link", { name: /^page 1/u }).count()).toBe(11);
    expect(page.url()).toContain("name=Page");
    await opened.shoot("list-filtered");
    await closeClean(opened);
  });
});
