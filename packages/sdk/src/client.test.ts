import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createPipelinesClient, waitForRun, type PipelinesClient } from "./client.ts";

async function serve(listener: RequestListener): Promise<{ client: PipelinesClient } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    client: createPipelinesClient({ host: `http://127.0.0.1:${port}/` }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const event = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const task = (state: string): object => ({ task_id: "t", run_id: "r", name: "t", type: "RUNTIME", state });

test("following outlives a broken connection and ends with the run", async () => {
  let connections = 0;
  await using server = await serve((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (connections++ === 0) {
      response.write(`: hello\r\n\r\n${event("run", { run: { run_id: "r", state: "RUNNING" }, tasks: [task("RUNNING")] })}`, () =>
        response.destroy(),
      );
      return;
    }
    response.end(`${event("run", { run: { run_id: "r", state: "SUCCEEDED" }, tasks: [task("SUCCEEDED")] })}${event("end", {})}`);
  });
  const states: unknown[] = [];
  for await (const { run, tasks } of server.client.follow("r")) states.push([run.state, tasks.get("t")?.state]);
  expect(states).toEqual([
    ["RUNNING", "RUNNING"],
    ["SUCCEEDED", "SUCCEEDED"],
  ]);
  expect((await waitForRun(server.client, "r")).state).toBe("SUCCEEDED");
});

test("submitting sends the specification, the parameters and the cache's setting", async () => {
  let sent: { pipeline_spec?: unknown; experiment_id?: unknown } = {};
  await using server = await serve((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      if (request.url?.includes("/experiments") === true)
        return void response.end(request.method === "GET" ? "{}" : JSON.stringify({ experiment_id: "e1" }));
      sent = JSON.parse(text) as typeof sent;
      response.end(JSON.stringify({ run_id: "r", display_name: "p" }));
    });
  });
  const ir = "pipelineInfo: {name: p}\nroot: {dag: {tasks: {a: {cachingOptions: {enableCache: true}}}}}\n---\nplatforms: {}\n";
  expect((await server.client.submit({ pipeline: ir, parameters: { n: 1 }, experiment: "mine", caching: false })).run_id).toBe("r");
  expect(sent).toEqual({
    display_name: "p",
    experiment_id: "e1",
    runtime_config: { parameters: { n: 1 } },
    pipeline_spec: {
      pipeline_spec: { pipelineInfo: { name: "p" }, root: { dag: { tasks: { a: { cachingOptions: { enableCache: false } } } } } },
      platform_spec: { platforms: {} },
    },
  });
});

test("a schedule is sent as the REST API takes it", async () => {
  const sent: [string | undefined, string | undefined, unknown][] = [];
  await using server = await serve((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      sent.push([request.method, request.url, text === "" ? undefined : JSON.parse(text)]);
      response.end(JSON.stringify(request.url?.includes("?") === true ? { recurringRuns: [{ recurring_run_id: "s" }], total_size: 1 } : {}));
    });
  });
  const { client } = server;
  const pipeline = { pipelineId: "p" };
  const [start, parameters] = [new Date("2026-03-01T00:00:00Z"), { day: "[[ScheduledTime.2006-01-02]]" }];
  await client.createRecurringRun({ name: "nightly", pipeline, cron: "0 0 2 * * *", start, parameters, maxConcurrency: 2, catchUp: false });
  await client.createRecurringRun({ name: "often", pipeline: "pipelineInfo: {name: p}\nroot: {}\n", everySeconds: 60, enabled: false });
  expect(await client.listRecurringRuns()).toEqual({ recurringRuns: [{ recurring_run_id: "s" }], total: 1 });
  await client.enableRecurringRun("s");
  await client.deleteRecurringRun("s");
  expect(sent).toEqual([
    [
      ...["POST", "/apis/v2beta1/recurringruns"],
      {
        ...{ display_name: "nightly", pipeline_version_reference: { pipeline_id: "p" }, runtime_config: { parameters } },
        trigger: { cron_schedule: { cron: "0 0 2 * * *", start_time: "2026-03-01T00:00:00.000Z" } },
        ...{ max_concurrency: "2", no_catchup: true, mode: "ENABLE" },
      },
    ],
    [
      ...["POST", "/apis/v2beta1/recurringruns"],
      {
        ...{ display_name: "often", pipeline_spec: { pipelineInfo: { name: "p" }, root: {} } },
        trigger: { periodic_schedule: { interval_second: "60" } },
        ...{ max_concurrency: "1", no_catchup: false, mode: "DISABLE" },
      },
    ],
    ["GET", "/apis/v2beta1/recurringruns?sort_by=created_at+desc", undefined],
    ["POST", "/apis/v2beta1/recurringruns/s:enable", {}],
    ["DELETE", "/apis/v2beta1/recurringruns/s", undefined],
  ]);
});

test("experiments and kept pipelines are asked for as the REST API takes it", async () => {
  const sent: [string | undefined, string, string][] = [];
  await using server = await serve((request, response) => {
    let text = "";
    request.on("data", (chunk: Buffer) => (text += chunk.toString()));
    request.on("end", () => {
      sent.push([request.method, decodeURIComponent(request.url ?? "").replaceAll("+", " "), text]);
      response.end(JSON.stringify({ experiment_id: "e", pipeline_id: "p", total_size: 0 }));
    });
  });
  const { client } = server;
  const pipeline = "pipelineInfo: {name: own}\nroot: {}\n---\nplatforms: {}\n";
  await client.createExperiment({ name: "mine", description: "d", namespace: "ns" });
  await client.archiveExperiment("e");
  await client.deleteExperiment("e");
  await client.uploadPipeline({ pipeline, description: "first" });
  await client.uploadPipelineVersion({ pipelineId: "p", pipeline, name: "v2", codeSourceUrl: "https://x" });
  expect(await client.findPipeline("own")).toBeUndefined();
  await client.submit({ pipeline: { pipelineId: "p", versionId: "v" }, name: "r", serviceAccount: "robot" });
  await client.deletePipelineVersion("p", "v");
  await client.deletePipeline("p", { versions: true });
  const file =
    /name="uploadfile"; filename="pipeline.yaml".*\r\n\r\n\{"pipelineInfo":\{"name":"own"\},"root":\{\}\}\n---\n\{"platforms":\{\}\}\n\r\n/su;
  const named = (name: string): string =>
    `filter=${JSON.stringify({ predicates: [{ operation: "EQUALS", key: name, string_value: name === "name" ? "own" : "mine" }] })}`;
  expect(sent.map(([method, path, body]) => [method, path.replace("/apis/v2beta1", ""), file.test(body) ? "file" : body])).toEqual([
    ["GET", `/experiments?namespace=ns&sort_by=created_at desc&${named("display_name")}`, ""],
    ["POST", "/experiments", JSON.stringify({ display_name: "mine", description: "d", namespace: "ns" })],
    ["POST", "/experiments/e:archive", "{}"],
    ["DELETE", "/experiments/e", ""],
    ["POST", "/pipelines/upload?name=own&description=first", "file"],
    ["POST", "/pipelines/upload_version?pipelineid=p&name=v2&code_source_url=https://x", "file"],
    ["GET", `/pipelines?sort_by=created_at desc&${named("name")}`, ""],
    [
      ...["POST", "/runs"],
      JSON.stringify({
        pipeline_version_reference: { pipeline_id: "p", pipeline_version_id: "v" },
        ...{ display_name: "r", runtime_config: {}, service_account: "robot" },
      }),
    ],
    ["DELETE", "/pipelines/p/versions/v", ""],
    ["DELETE", "/pipelines/p?cascade=true", ""],
  ]);
});

test("a refusal has the server's message", async () => {
  await using server = await serve((_, response) => response.writeHead(404).end(JSON.stringify({ error: "x", message: "run r not found", code: 5 })));
  await expect(server.client.getRun("r")).rejects.toMatchObject({ message: "run r not found", code: 404, reason: "NotFound" });
});

test("a server that is not there is named, with what to do", async () => {
  await expect(createPipelinesClient({ host: "http://127.0.0.1:1" }).getRun("r")).rejects.toMatchObject({ fix: "start it with `sluice up`" });
});
