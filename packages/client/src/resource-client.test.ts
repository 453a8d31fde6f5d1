import { ApiError, defineResource } from "@sluice/kubernetes";
import type { KubernetesObject, WatchEvent } from "@sluice/kubernetes";
import { describe, expect, it } from "vitest";
import { createClient } from "./resource-client.ts";
import type { ApiRequest, ApiResponse } from "./transport.ts";

interface Job extends KubernetesObject {
  spec: { parallelism: number };
}
const Job = defineResource<Job>({
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  scope: "Namespaced",
  schema: { type: "object" },
});
const job: Job = { apiVersion: "batch/v1", kind: "Job", metadata: { namespace: "a", name: "x" }, spec: { parallelism: 2 } };

function clientAnswering(answer: (request: ApiRequest) => ApiResponse) {
  const requests: ApiRequest[] = [];
  const client = createClient({
    send: async (request) => {
      requests.push(request);
      return answer(request);
    },
  });
  return { client, requests };
}

const notFound = (): never => {
  throw new ApiError("NotFound", 'jobs.batch "x" not found');
};

describe("client", () => {
  it("passes objects through with the fields it does not know", async () => {
    const { client, requests } = clientAnswering(() => ({
      kind: "object",
      status: 200,
      object: { ...job, extra: "2026-01-01T00:00:00.123456Z" },
    }));
    expect(await client.get(Job, { namespace: "a", name: "x" })).toMatchObject({ extra: "2026-01-01T00:00:00.123456Z" });
    expect(requests[0]).toMatchObject({ method: "GET", path: "/apis/batch/v1/namespaces/a/jobs/x" });
  });

  it("tells absence from failure", async () => {
    const { client } = clientAnswering(notFound);
    expect(await client.find(Job, { namespace: "a", name: "x" })).toBeUndefined();
    expect(await client.delete(Job, { namespace: "a", name: "x" })).toBeUndefined();
    await expect(client.get(Job, { namespace: "a", name: "x" })).rejects.toMatchObject({ reason: "NotFound", code: 404 });
    const refused = clientAnswering(() => {
      throw new ApiError("Forbidden", "no");
    });
    await expect(refused.client.find(Job, { name: "x" })).rejects.toMatchObject({ reason: "Forbidden" });
  });

  it("asks for what was asked, and nothing more", async () => {
    const list = { apiVersion: "batch/v1", kind: "JobList", metadata: { name: "" } };
    const { client, requests } = clientAnswering(() => ({ kind: "object", status: 200, object: list }));
    await client.list(Job, { namespace: "a", labelSelector: "k=v", limit: 500 });
    await client.list(Job);
    expect(requests.map((request) => [request.path, request.query])).toEqual([
      ["/apis/batch/v1/namespaces/a/jobs", { labelSelector: "k=v", limit: "500" }],
      ["/apis/batch/v1/jobs", {}],
    ]);
  });

  it("applies as the owner given, with the kind's own apiVersion", async () => {
    const { client, requests } = clientAnswering(() => ({ kind: "object", status: 200, object: { ...job } }));
    await client.apply(Job, { ...job, apiVersion: "", kind: "" }, { owner: "trainer", force: true });
    expect(requests[0]).toMatchObject({
      method: "PATCH",
      contentType: "application/apply-patch+yaml",
      query: { fieldManager: "trainer", force: "true" },
      body: { apiVersion: "batch/v1", kind: "Job" },
    });
  });

  it("names the media type of each patch", async () => {
    const { client, requests } = clientAnswering(() => ({ kind: "object", status: 200, object: { ...job } }));
    for (const type of ["json", "merge", "strategic"] as const) {
      await client.patch(Job, { namespace: "a", name: "x" }, { type, body: [], subresource: "status" });
    }
    expect(requests.map((request) => request.contentType)).toEqual([
      "application/json-patch+json",
      "application/merge-patch+json",
      "application/strategic-merge-patch+json",
    ]);
    expect(requests[0]?.path).toBe("/apis/batch/v1/namespaces/a/jobs/x/status");
  });

  it("streams watch events, and refuses an answer of another kind", async () => {
    async function* events(): AsyncIterable<WatchEvent> {
      yield { type: "ADDED", object: { ...job } };
    }
    const { client, requests } = clientAnswering(() => ({ kind: "watch", events: events() }));
    const seen: string[] = [];
    for await (const event of client.watch(Job, { sendInitialEvents: true, allowWatchBookmarks: true })) seen.push(event.type);
    expect(seen).toEqual(["ADDED"]);
    expect(requests[0]?.query).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      sendInitialEvents: "true",
      resourceVersionMatch: "NotOlderThan",
    });
    await expect(client.get(Job, { name: "x" })).rejects.toMatchObject({ reason: "InternalError" });
  });
});
