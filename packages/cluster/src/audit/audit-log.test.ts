import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigMap, Namespace } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test } from "vitest";
import { rawClient, type RawClient } from "../http/raw-client.fixture.ts";
import { startCluster, type Cluster } from "../start-cluster.ts";
import type { AuditPolicy } from "./audit-policy.ts";

type Event = Record<string, unknown> & { readonly verb: string; readonly stage: string; readonly auditID: string };

const MAPS = "/api/v1/namespaces/default/configmaps";
const json = { "content-type": "application/json", "user-agent": "tester/1" };
const map = (name: string): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { a: "b" } });
let directory: string;
let cluster: Cluster | undefined;
let raw: RawClient;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-audit-"));
});
afterEach(async () => {
  raw[Symbol.dispose]();
  await cluster?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function start(policy?: AuditPolicy): Promise<Cluster> {
  cluster = await startCluster({ mode: "api-server", directory, audit: { policy } });
  raw = await rawClient(cluster.kubeconfigPath);
  return cluster;
}
/** The events of a cluster that has stopped, without those of its own start. */
async function events(): Promise<Event[]> {
  raw[Symbol.dispose]();
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
  const lines = (await readFile(join(directory, "audit.log"), "utf8")).trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Event).filter(({ user }) => (user as { username: string }).username !== "system:apiserver");
}

test("an event tells who did what with what success, and is named to the client", async () => {
  await start({
    rules: [{ level: "RequestResponse", verbs: ["create"] }, { level: "Metadata" }],
    omitStages: ["RequestReceived"],
    omitManagedFields: true,
  });
  const created = await raw.as("admin", `${MAPS}?fieldManager=me`, { method: "POST", headers: json, body: map("m") });
  const missing = await raw.as("admin", `${MAPS}/none`, { headers: { "audit-id": "mine", "x-forwarded-for": "10.1.2.3" } });
  expect(missing.headers["audit-id"]).toBe("mine");

  const [create, get] = await events();
  const { requestReceivedTimestamp, stageTimestamp, ...rest } = create ?? ({} as Event);
  expect([requestReceivedTimestamp, stageTimestamp]).toEqual(Array.from({ length: 2 }, () => expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/u)));
  expect(rest).toEqual({
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: created.headers["audit-id"],
    stage: "ResponseComplete",
    requestURI: `${MAPS}?fieldManager=me`,
    verb: "create",
    user: { username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] },
    sourceIPs: ["127.0.0.1"],
    userAgent: "tester/1",
    objectRef: { resource: "configmaps", namespace: "default", name: "m", apiVersion: "v1" },
    responseStatus: { metadata: {}, code: 201 },
    requestObject: map("m"),
    responseObject: { ...map("m"), metadata: { ...created.json<ConfigMap>().metadata, managedFields: undefined } },
    annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
  });
  expect(get).toMatchObject({ level: "Metadata", auditID: "mine", sourceIPs: ["10.1.2.3", "127.0.0.1"] });
  expect(get?.["responseStatus"]).toMatchObject({ status: "Failure", reason: "NotFound", code: 404, details: { name: "none" } });
  expect(get).not.toHaveProperty("responseObject");
});

test("who is refused is told of: by their token, for whom they would be, and what they may not do", async () => {
  await start({ rules: [{ level: "Metadata" }], omitStages: ["RequestReceived"] });
  await raw.as("nobody", MAPS, { headers: { authorization: "Bearer x.y.z" } });
  await raw.as("nobody", MAPS, { headers: { "impersonate-user": "ann" } });
  await raw.as("nobody", MAPS);
  await raw.as("admin", MAPS, { headers: { "impersonate-user": "ann" } });
  const anonymous = { username: "system:anonymous", groups: ["system:unauthenticated"] };
  expect(await events()).toMatchObject([
    { user: {}, verb: "list", responseStatus: { code: 401 } },
    { user: anonymous, responseStatus: { code: 403 } },
    { user: anonymous, responseStatus: { code: 403 }, annotations: { "authorization.k8s.io/decision": "forbid" } },
    { user: { username: "kubernetes-admin" }, impersonatedUser: { username: "ann" }, responseStatus: { code: 403 } },
  ]);
});

test("a watch is told of when it starts and when it ends, and whoever is in this process is told of too", async () => {
  const { client } = await start({ rules: [{ level: "Metadata" }] });
  await raw.as("admin", `${MAPS}?watch=1&timeoutSeconds=1`);
  await client({ username: "part", groups: ["system:masters"] }).create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
  const all = await events();
  expect(all.map(({ verb, stage }) => `${verb} ${stage}`)).toEqual([
    "watch RequestReceived",
    "watch ResponseStarted",
    "watch ResponseComplete",
    "create RequestReceived",
    "create ResponseComplete",
  ]);
  expect(new Set(all.slice(0, 3).map(({ auditID }) => auditID)).size).toBe(1);
  expect(all.at(-1)).toMatchObject({
    user: { username: "part" },
    requestURI: "/api/v1/namespaces",
    objectRef: { resource: "namespaces", name: "n" },
  });
});

test("what admission notes is in the event", async () => {
  const { client } = await start();
  const labels = { "pod-security.kubernetes.io/audit": "baseline" };
  await client({ username: "part", groups: ["system:masters"] }).create(Namespace, {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "n", labels },
  });
  const body = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { hostPID: true, containers: [{ name: "c", image: "x" }] } };
  await raw.as("admin", "/api/v1/namespaces/n/pods", { method: "POST", headers: json, body });
  expect((await events()).at(-1)).toMatchObject({
    level: "Request",
    annotations: {
      "pod-security.kubernetes.io/audit-violations": 'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
      "pod-security.kubernetes.io/enforce-policy": "privileged:latest",
    },
  });
});

test("a secret's content is not told unless somebody says so", async () => {
  await start();
  const body = { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { password: "hush" } };
  await raw.as("admin", "/api/v1/namespaces/default/secrets", { method: "POST", headers: json, body });
  expect(await events()).toMatchObject([{ verb: "create", level: "Metadata" }]);
  expect(await readFile(join(directory, "audit.log"), "utf8")).not.toMatch(/hush|aHVzaA/u);
});
