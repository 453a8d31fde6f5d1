import {
  builtinResources,
  defineResource,
  Event,
  Ingress,
  Job,
  NetworkPolicy,
  Pod,
  PodDisruptionBudget,
  ResourceQuota,
  resourcesOfCrd,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
  type UnknownObject,
} from "@sluice/kubernetes";
import { describe, expect, it } from "vitest";
import { aggregatedDiscovery, aggregatedDiscoveryType, apiGroupList, apiResourceList, compareVersions } from "./discovery.ts";
import { humanDuration } from "./human-duration.ts";
import { readJsonPath } from "./json-path.ts";
import { toTable } from "./table.ts";

const now = new Date("2026-01-01T01:00:00Z");
const metadata = { name: "x", creationTimestamp: "2026-01-01T00:00:00Z" };
const row = (resource: Parameters<typeof toTable>[0], object: object): readonly unknown[] =>
  toTable(resource, { apiVersion: "v1", kind: resource.kind, metadata, ...object }, { now }).rows[0]?.cells ?? [];
const waiting = (name: string, reason: string): object => ({ name, ready: false, restartCount: 2, state: { waiting: { reason } } });
const ended = (name: string, exitCode: number, reason?: string): object => ({
  name,
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, reason } },
});
const running = (name: string): object => ({ name, ready: true, restartCount: 0, started: true, state: { running: {} } });

describe("table", () => {
  const spec = { containers: [{ name: "a" }, { name: "b" }] };
  const init = { ...spec, initContainers: [{ name: "i" }, { name: "s", restartPolicy: "Always" }] };
  it.each<[string, string, object, object]>([
    ["0/2", "Pending", {}, { spec, status: { phase: "Pending" } }],
    ["1/2", "CrashLoopBackOff", {}, { spec, status: { phase: "Running", containerStatuses: [waiting("a", "CrashLoopBackOff"), running("b")] } }],
    ["0/2", "Completed", {}, { spec, status: { phase: "Succeeded", containerStatuses: [ended("a", 0, "Completed"), ended("b", 0, "Completed")] } }],
    ["1/2", "NotReady", {}, { spec, status: { phase: "Running", containerStatuses: [ended("a", 0, "Completed"), running("b")] } }],
    ["0/2", "ExitCode:3", {}, { spec, status: { phase: "Failed", containerStatuses: [ended("a", 3), ended("b", 0, "Completed")] } }],
    [
      "0/3",
      "Init:0/2",
      {},
      {
        spec: init,
        status: {
          phase: "Pending",
          initContainerStatuses: [{ name: "i", restartCount: 0, state: { running: {} } }, waiting("s", "PodInitializing")],
        },
      },
    ],
    ["0/3", "Init:Error", {}, { spec: init, status: { phase: "Pending", initContainerStatuses: [ended("i", 1, "Error")] } }],
    [
      "3/3",
      "Running",
      {},
      {
        spec: init,
        status: { phase: "Running", initContainerStatuses: [ended("i", 0), running("s")], containerStatuses: [running("a"), running("b")] },
      },
    ],
    [
      "2/2",
      "Terminating",
      { deletionTimestamp: "2026-01-01T00:59:00Z" },
      { spec, status: { phase: "Running", containerStatuses: [running("a"), running("b")] } },
    ],
    [
      "0/2",
      "SchedulingGated",
      {},
      { spec, status: { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] } },
    ],
    ["0/2", "Evicted", {}, { spec, status: { phase: "Failed", reason: "Evicted" } }],
  ])("shows a pod as %s %s", (ready, status, meta, pod) => {
    expect(row(Pod, { ...pod, metadata: { ...metadata, ...meta } }).slice(0, 3)).toEqual(["x", ready, status]);
  });

  it("shows Jobs, events and custom kinds", () => {
    const job = {
      spec: { completions: 3, template: { spec }, selector: { matchLabels: { a: "b" } } },
      status: { succeeded: 1, startTime: "2026-01-01T00:50:00Z" },
    };
    expect(row(Job, job)).toEqual(["x", "Running", "1/3", "10m", "60m", "a,b", ",", "a=b"]);
    expect(
      row(Event, { involvedObject: { kind: "Pod", name: "p" }, lastTimestamp: "2026-01-01T00:59:50Z", reason: "R", message: "m\n" }).slice(0, 7),
    ).toEqual(["10s", undefined, "R", "pod/p", "", "", "m"].map((cell) => cell ?? ""));
    const columns = [
      { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: "Since", type: "date", jsonPath: ".t" },
    ] as const;
    const Foo = defineResource({ group: "x.io", version: "v1", kind: "Foo", plural: "foos", scope: "Namespaced", schema: {}, columns });
    expect(
      row(Foo, {
        status: {
          conditions: [
            { type: "A", status: "1" },
            { type: "Ready", status: "True" },
          ],
        },
      }),
    ).toEqual(["x", "True", "<unknown>"]);
  });

  it("shows what governs traffic, pods and requests", () => {
    const ingress = { ingressClassName: "nginx", rules: [{ host: "a.com" }, { host: "b.com" }], tls: [{}] };
    const balanced = { loadBalancer: { ingress: [{ ip: "10.0.0.1" }] } };
    expect(row(Ingress, { spec: ingress, status: balanced })).toEqual(["x", "nginx", "a.com,b.com", "10.0.0.1", "80, 443", "60m"]);
    expect(row(Ingress, { spec: {} })).toEqual(["x", "<none>", "*", "", "80", "60m"]);
    expect(row(NetworkPolicy, { spec: { podSelector: { matchLabels: { a: "b" } } } })).toEqual(["x", "a=b", "60m"]);
    expect(row(PodDisruptionBudget, { spec: { minAvailable: "50%" }, status: { disruptionsAllowed: 2 } })).toEqual(["x", "50%", "N/A", 2, "60m"]);
    expect(row(ValidatingWebhookConfiguration, { webhooks: [{}, {}] })).toEqual(["x", 2, "60m"]);
    expect(row(ValidatingAdmissionPolicy, { spec: { validations: [{}], paramKind: { apiVersion: "v1", kind: "ConfigMap" } } })).toEqual([
      "x",
      1,
      "v1/ConfigMap",
      "60m",
    ]);
    expect(row(ValidatingAdmissionPolicyBinding, { spec: { policyName: "p", paramRef: { name: "n" } } })).toEqual(["x", "p", "*/n", "60m"]);
  });

  it("never fails on an object that lacks what it could lack", () => {
    for (const resource of builtinResources) {
      const specs = { spec: { containers: [], template: { spec: { containers: [] } } }, roleRef: {}, involvedObject: {} };
      expect(row(resource, specs).length).toBeGreaterThan(0);
    }
  });

  it.each([
    [0, "0s"],
    [119, "119s"],
    [120, "2m"],
    [599, "9m59s"],
    [10_799, "179m"],
    [10_800, "3h"],
    [86_400, "24h"],
    [172_800, "2d"],
    [180_000, "2d2h"],
    [864_000, "10d"],
    [63_072_000, "2y"],
    [-5, "<invalid>"],
  ])("writes %d seconds as %s", (seconds, text) => expect(humanDuration(seconds * 1000)).toBe(text));

  it.each<[string, unknown[]]>([
    [".a.b", [1]],
    ["{.a['x.y']}", [2]],
    [".l[-1].n", [4]],
    [".l[*].n", [3, 4]],
    [".l[?(@.n==3)].n", [3]],
    [".a.x\\.y", [2]],
    [".missing.x", []],
    ["..[", []],
  ])("reads %s", (path, values) => expect(readJsonPath(path, { a: { b: 1, "x.y": 2 }, l: [{ n: 3 }, { n: 4 }] })).toEqual(values));
});

describe("discovery", () => {
  it("prefers stable and newer versions", () => {
    expect(["v1alpha1", "v2beta1", "v1", "v10", "v2beta2", "zeta", "v2"].toSorted(compareVersions)).toEqual([
      "v10",
      "v2",
      "v1",
      "v2beta2",
      "v2beta1",
      "v1alpha1",
      "zeta",
    ]);
    const groups = apiGroupList(builtinResources)["groups"];
    expect(groups).toContainEqual(
      expect.objectContaining({ name: "autoscaling", preferredVersion: { groupVersion: "autoscaling/v2", version: "v2" } }),
    );
  });

  it("lists resources, subresources and custom kinds", () => {
    const rows = apiResourceList(builtinResources, "apps", "v1")?.["resources"];
    expect(rows).toContainEqual(expect.objectContaining({ name: "deployments", shortNames: ["deploy"], namespaced: true }));
    expect(rows).toContainEqual(expect.objectContaining({ name: "deployments/scale", group: "autoscaling", kind: "Scale" }));
    expect(apiResourceList(builtinResources, "nope", "v1")).toBeUndefined();
    const crd: UnknownObject = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "foos.x.io" },
      spec: {
        group: "x.io",
        scope: "Cluster",
        names: { plural: "foos", kind: "Foo" },
        versions: [
          { name: "v1", served: true, storage: true },
          { name: "v0", served: false, storage: false },
        ],
      },
    };
    expect(JSON.stringify(aggregatedDiscovery(resourcesOfCrd(crd), "groups"))).toContain('"resource":"foos"');
  });

  it("is aggregated for those who ask first for it", () => {
    const v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    expect(aggregatedDiscoveryType(`${v2},application/json`)).toBe(v2);
    expect(aggregatedDiscoveryType("application/json")).toBeUndefined();
    expect(aggregatedDiscoveryType(undefined)).toBeUndefined();
  });
});

it("shows of a quota how much is used, limits apart", () => {
  const status = { hard: { "limits.cpu": "2", pods: "10", "requests.cpu": "1" }, used: { "limits.cpu": "500m", pods: "1" } };
  expect(row(ResourceQuota, { spec: {}, status })).toEqual(["x", "pods: 1/10, requests.cpu: 0/1", "limits.cpu: 500m/2", "60m"]);
});
