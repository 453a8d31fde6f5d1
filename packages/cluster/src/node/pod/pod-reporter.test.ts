import type { Client } from "@sluice/client";
import { ApiError, type Pod } from "@sluice/kubernetes";
import { describe, expect, test } from "vitest";
import type { NodeContext } from "../node-context.ts";
import { PodReporter } from "./pod-reporter.ts";

/** An API of one pod, which takes of a status only its phase. */
function apiOf(pod: Pod) {
  const api = { pod, writes: 0 };
  const client = {
    async update(_: unknown, next: Pod): Promise<Pod> {
      await Promise.resolve();
      if (next.metadata.resourceVersion !== api.pod.metadata.resourceVersion) throw new ApiError("Conflict", "stale");
      api.writes++;
      api.pod = {
        ...next,
        metadata: { ...next.metadata, resourceVersion: String(api.writes + 1) },
        status: next.status?.phase === undefined ? {} : { phase: next.status.phase },
      };
      return api.pod;
    },
    find: async () => api.pod,
  } as unknown as Client;
  return { api, client };
}

function reporterOf(): { reporter: PodReporter; api: ReturnType<typeof apiOf>["api"]; seen: () => Pod } {
  let pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "n", uid: "u", resourceVersion: "1" }, spec: { containers: [] } };
  const { api, client } = apiOf(pod);
  const reporter: PodReporter = new PodReporter({
    node: { client, clock: { now: () => 0, sleep: async () => {} }, logger: { error: () => {} } } as unknown as NodeContext,
    pod: () => pod,
    accept(accepted) {
      if (accepted !== undefined) pod = accepted;
    },
    signal: new AbortController().signal,
  });
  return { reporter, api, seen: () => pod };
}

describe("a report", () => {
  test("is written once, though the API does not take all of it", async () => {
    const { reporter, api } = reporterOf();
    reporter.report({ phase: "Running", message: "the API forgets this" });
    await reporter.settle();
    reporter.report({ phase: "Running", message: "the API forgets this" });
    await reporter.settle();
    expect(api.writes).toBe(1);
    expect(reporter.isReported).toBe(true);
  });

  test("holds the latest, in as few writes as it takes", async () => {
    const { reporter, api } = reporterOf();
    reporter.report({ phase: "Pending" });
    reporter.report({ phase: "Running" });
    reporter.report({ phase: "Succeeded" });
    await reporter.settle();
    expect(api.pod.status).toEqual({ phase: "Succeeded" });
    expect(api.writes).toBeLessThanOrEqual(2);
  });

  test("goes on from what others have written, and mends what they have broken", async () => {
    const { reporter, api, seen } = reporterOf();
    api.pod = { ...api.pod, metadata: { ...api.pod.metadata, resourceVersion: "foreign", labels: { a: "b" } } };
    reporter.report({ phase: "Running" });
    await reporter.settle();
    expect(seen()).toMatchObject({ metadata: { labels: { a: "b" } }, status: { phase: "Running" } });
  });

  test("that the API has the last word on is not written", async () => {
    const { reporter, api } = reporterOf();
    reporter.report(undefined);
    await reporter.settle();
    expect(api.writes).toBe(0);
  });
});
