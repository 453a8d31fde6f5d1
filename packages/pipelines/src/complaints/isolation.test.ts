import { afterEach, beforeEach, expect, test } from "vitest";
import { CHAIN } from "../specs.fixture.ts";
import { statesOf, Trial } from "./trial.fixture.ts";

let trial: Trial;
beforeEach(async () => {
  trial = new Trial();
  await trial.world.boot();
});
afterEach(() => trial[Symbol.asyncDispose]());

test("#8406 users saw what others ran, their artifacts and their logs, and were given their results", async () => {
  trial.work = (name) => {
    const report = { output: "report", name: "report", type: { schemaTitle: "system.HTML" }, uri: "minio://b/report", metadata: {} };
    return name === "first" ? { parameters: { Output: 1 }, artifacts: [report], log: "theirs" } : {};
  };
  const theirs = await trial.start(CHAIN, { n: 1 }, { namespace: "theirs" });
  const done = await trial.ends(theirs, "SUCCEEDED");
  const ours = await trial.ends(await trial.start(CHAIN, { n: 1 }, { namespace: "ours" }), "SUCCEEDED");
  expect(statesOf(ours)).toMatchObject({ first: { SUCCEEDED: 1 } });

  trial.world.forbidden.add("theirs");
  const first = done.tasks.find(({ name }) => name === "first");
  for (const path of ["", "?view=FULL", ":watch", `/nodes/${first?.task_id}/log`, `/nodes/${first?.task_id}/artifacts/report:read`]) {
    expect((await trial.world.app.request(`/runs/${theirs}${path}`)).status, path).toBeGreaterThanOrEqual(403);
  }
  for (const path of ["/runs", "/experiments", "/pipelines", "/artifacts"]) {
    expect((await trial.world.app.request(`${path}?namespace=theirs`)).status, path).toBe(403);
  }
  for (const verb of ["terminate", "retry", "archive"]) expect((await trial.world.request("POST", `/runs/${theirs}:${verb}`)).status).toBe(403);
  expect(JSON.stringify((await trial.world.request("GET", "/runs?namespace=ours")).body)).not.toContain(theirs);
});
