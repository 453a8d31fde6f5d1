import type { UnknownObject, WatchEvent } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../store/store.ts";
import { ExpiredContinuation } from "./list.ts";
import { openWorld, type World } from "./world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld({ store: await openStore({ path: ":memory:", historySize: 20 }) });
});
afterEach(() => world[Symbol.asyncDispose]());

const path = "/api/v1/namespaces/default/configmaps";
const post = (name: string, more: object = {}): Promise<UnknownObject> =>
  world.send("POST", path, { body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...more } } });
const list = (query: Record<string, string>, at = path): Promise<UnknownObject> => world.send("GET", at, { query });
const names = (page: UnknownObject): string[] => (page["items"] as UnknownObject[]).map(({ metadata }) => metadata.name);
const metadata = (page: UnknownObject): { resourceVersion: string; continue?: string; remainingItemCount?: number } => page.metadata as never;

/** The events of a watch, up to `count`. */
async function watched(
  query: Record<string, string>,
  count: number,
  then: () => Promise<unknown> = async () => {},
  at = path,
): Promise<WatchEvent[]> {
  const abort = new AbortController();
  const response = await world.api.send(
    { method: "GET", path: at, query: { watch: "1", ...query }, signal: abort.signal },
    { username: "admin", groups: [] },
  );
  if (response.kind !== "watch") throw new Error(response.kind);
  void then();
  const events: WatchEvent[] = [];
  for await (const event of response.events) {
    events.push(event);
    if (events.length === count) abort.abort();
  }
  return events;
}
const brief = (events: readonly WatchEvent[]): string[] =>
  events.map(({ type, object }) => `${type} ${"name" in object.metadata ? String(object.metadata.name) : ""}`.trim());

describe("pages", () => {
  test("show one revision, also by selector", async () => {
    for (const name of ["a", "b", "c", "d"]) await post(name, { labels: { odd: String(name === "a" || name === "c") } });
    const first = await list({ limit: "1", labelSelector: "odd=true" });
    expect(names(first)).toEqual(["a"]);
    expect(metadata(first).remainingItemCount).toBeUndefined();
    await world.send("DELETE", `${path}/c`);
    const rest = await list({ limit: "9", labelSelector: "odd=true", continue: metadata(first).continue ?? "" });
    expect(names(rest)).toEqual(["c"]);
    expect(metadata(rest)).toEqual({ resourceVersion: metadata(first).resourceVersion });
  });

  test("expire with a token that goes on inconsistently, from then on at one revision again", async () => {
    for (const name of ["a", "b", "c"]) await post(name);
    const token = metadata(await list({ limit: "1" })).continue ?? "";
    for (let i = 0; i < 30; i++) await post(`x${i}`);
    const expired = await world.refusal("GET", path, { query: { limit: "1", continue: token } });
    expect(expired).toBeInstanceOf(ExpiredContinuation);
    expect(expired.toStatus()).toMatchObject({ code: 410, reason: "Expired", metadata: { continue: expect.any(String) } });
    const next = await list({ limit: "1", continue: String(expired.toStatus().metadata["continue"]) });
    expect(names(next)).toEqual(["b"]);
    expect(metadata(next).resourceVersion).toBe(String(world.store.revision));
    expect(names(await list({ limit: "1", continue: metadata(next).continue ?? "" }))).toEqual(["c"]);
  });

  test.each([
    ["a token that is none", { continue: "bogus" }, "BadRequest", /continue key is not valid/],
    ["a token with a revision", { continue: "x", resourceVersion: "5" }, "BadRequest", /not allowed when using continue/],
    ["a token with a match", { continue: "x", resourceVersionMatch: "Exact" }, "Invalid", /forbidden when continue is provided/],
    ["a match without a revision", { resourceVersionMatch: "Exact" }, "Invalid", /forbidden unless resourceVersion is provided/],
    ["Exact zero", { resourceVersionMatch: "Exact", resourceVersion: "0" }, "Invalid", /forbidden for resourceVersion "0"/],
    ["an unknown match", { resourceVersionMatch: "Nearly", resourceVersion: "1" }, "Invalid", /Unsupported value: "Nearly"/],
    ["a limit that is none", { limit: "-1" }, "BadRequest", /limit/],
    ["initial events", { sendInitialEvents: "true" }, "Invalid", /forbidden for list/],
    ["the future", { resourceVersion: "999999" }, "Timeout", /^Timeout: Too large resource version: 999999, current: \d+$/],
    ["a bad selector", { labelSelector: "a in" }, "BadRequest", /./],
    ["an unsupported field", { fieldSelector: "spec.nodeName=x" }, "BadRequest", /^field label not supported: spec.nodeName$/],
  ])("refuse %s", async (_, query, reason, message) => {
    expect(await world.refusal("GET", path, { query })).toMatchObject({ reason, message: expect.stringMatching(message) });
  });
});

test("resourceVersion picks the moment: exactly, or at least; in pages alone it is exact", async () => {
  const first = await post("a");
  const { resourceVersion = "" } = first.metadata;
  await post("b");
  expect(names(await list({ resourceVersion, resourceVersionMatch: "Exact" }))).toEqual(["a"]);
  expect(names(await list({ resourceVersion, limit: "5" }))).toEqual(["a"]);
  expect(names(await list({ resourceVersion, resourceVersionMatch: "NotOlderThan" }))).toEqual(["a", "b"]);
  expect(names(await list({ resourceVersion }))).toEqual(["a", "b"]);
  expect(names(await list({ resourceVersion: "0" }))).toEqual(["a", "b"]);
});

describe("field selectors", () => {
  const object = (kind: string, apiVersion: string, content: object): object => ({ apiVersion, kind, metadata: { name: "o" }, ...content });
  test.each<[string, object, string, string]>([
    [
      "/api/v1/namespaces/default/pods",
      object("Pod", "v1", { spec: { nodeName: "n", containers: [{ name: "c", image: "x" }] } }),
      "spec.nodeName=n,status.phase=Pending,spec.hostNetwork=false,spec.restartPolicy=Always,spec.schedulerName=default-scheduler,spec.serviceAccountName=default,status.podIP=,status.podIPs=,status.nominatedNodeName=",
      "spec.nodeName=m",
    ],
    ["/api/v1/namespaces/default/secrets", object("Secret", "v1", {}), "type=Opaque", "type!=Opaque"],
    ["/api/v1/nodes", object("Node", "v1", {}), "spec.unschedulable=false", "spec.unschedulable=true"],
    [
      "/apis/batch/v1/namespaces/default/jobs",
      object("Job", "batch/v1", { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] } } } }),
      "status.successful=0",
      "status.successful=1",
    ],
    [
      "/api/v1/namespaces/default/events",
      object("Event", "v1", { involvedObject: { kind: "Pod", name: "p", uid: "u" }, reason: "R", type: "Normal", source: { component: "me" } }),
      "involvedObject.name=p,involvedObject.kind=Pod,involvedObject.uid=u,reason=R,type=Normal,source=me",
      "source=you",
    ],
    ["/api/v1/namespaces", object("Namespace", "v1", {}), "status.phase=Active,metadata.name=o", "status.phase=Terminating"],
  ])("of %s", async (at, body, matching, other) => {
    await world.send("POST", at, { body });
    expect(names(await list({ fieldSelector: matching }, at))).toContain("o");
    expect(names(await list({ fieldSelector: other }, at))).not.toContain("o");
  });
});

describe("watch", () => {
  test("from a revision, exclusively; from nothing or zero with what exists", async () => {
    const { metadata: first } = await post("a");
    await post("b");
    expect(brief(await watched({ resourceVersion: first.resourceVersion ?? "" }, 1))).toEqual(["ADDED b"]);
    for (const query of [{}, { resourceVersion: "0" }]) expect(brief(await watched({ ...query }, 2))).toEqual(["ADDED a", "ADDED b"]);
  });

  test("a deletion carries its own revision, and leaving the selection is one", async () => {
    await post("a", { labels: { x: "1" } });
    const events = await watched({ labelSelector: "x=1", resourceVersion: String(world.store.revision) }, 2, async () => {
      await world.send("PATCH", `${path}/a`, { contentType: "application/merge-patch+json", body: { metadata: { labels: { x: null } } } });
      await world.send("PATCH", `${path}/a`, { contentType: "application/merge-patch+json", body: { metadata: { labels: { x: "1" } } } });
    });
    expect(brief(events)).toEqual(["DELETED a", "ADDED a"]);
    const [left, back] = events.map(({ object }) => Number((object as UnknownObject).metadata.resourceVersion));
    expect(back).toBe((left ?? 0) + 1);
  });

  test("WatchList ends what exists with a bookmark at its revision, of the right kind", async () => {
    await post("a");
    const events = await watched({ sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: "true" }, 2);
    expect(events[1]).toEqual({
      type: "BOOKMARK",
      object: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "", resourceVersion: String(world.store.revision), annotations: { "k8s.io/initial-events-end": "true" } },
      },
    });
    const none = await watched(
      { sendInitialEvents: "false", resourceVersionMatch: "NotOlderThan", resourceVersion: "1", timeoutSeconds: "0.01" },
      9,
      async () => {},
      "/api/v1/nodes",
    );
    expect(none).toEqual([]);
  });

  test("too old a revision ends in an ERROR event", async () => {
    for (let i = 0; i < 30; i++) await post(`x${i}`);
    const [event] = await watched({ resourceVersion: "1" }, 1);
    expect(event).toMatchObject({
      type: "ERROR",
      object: { code: 410, reason: "Expired", message: expect.stringMatching(/^too old resource version: 1 \(\d+\)$/) },
    });
  });

  test("everybody sees the same order", async () => {
    const from = String(world.store.revision);
    const watches = Array.from({ length: 5 }, () => watched({ resourceVersion: from }, 6));
    await Promise.all(["a", "b", "c", "d", "e", "f"].map((name) => post(name)));
    const seen = await Promise.all(watches);
    for (const events of seen) expect(brief(events)).toEqual(brief(seen[0] ?? []));
  });
});
