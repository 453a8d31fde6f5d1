import { builtinResources, type NamedRuleWithOperations, type Resource, type UnknownObject } from "@sluice/kubernetes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AdmissionRequest } from "./admission.ts";
import { asEquivalent, equivalentsOf } from "./kinds.ts";
import { Interests, RequestMatcher } from "./match.ts";

const resourceAt = (path: string): Resource => {
  const found = builtinResources.find(({ group, version, plural }) => `${group}/${version}/${plural}` === path);
  if (found === undefined) throw new Error(`${path} is not built in`);
  return found;
};
const requestTo = (path: string, more: Partial<AdmissionRequest> = {}): AdmissionRequest => {
  const resource = resourceAt(path);
  return {
    operation: "CREATE",
    resource,
    subresource: undefined,
    namespace: resource.scope === "Namespaced" ? "default" : undefined,
    name: "x",
    object: undefined,
    oldObject: undefined,
    options: undefined,
    user: { username: "u", groups: [] },
    dryRun: false,
    ...more,
  };
};
const everything: NamedRuleWithOperations = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] };
const matcher = (rules: NamedRuleWithOperations[], more: Partial<ConstructorParameters<typeof RequestMatcher>[0]> = {}): RequestMatcher =>
  new RequestMatcher({ rules, matchPolicy: "Equivalent", namespaceSelector: {}, objectSelector: {}, ...more });

describe("rules", () => {
  test.each<[string, NamedRuleWithOperations, AdmissionRequest, boolean]>([
    ["everything", {}, requestTo("apps/v1/deployments", { subresource: "scale" }), true],
    ["all resources without subresources", { resources: ["*"] }, requestTo("/v1/pods"), true],
    ["all resources without subresources", { resources: ["*"] }, requestTo("/v1/pods", { subresource: "status" }), false],
    ["a resource", { resources: ["pods"] }, requestTo("/v1/pods", { subresource: "status" }), false],
    ["a resource with all of its subresources", { resources: ["pods/*"] }, requestTo("/v1/pods", { subresource: "log" }), true],
    ["a subresource of all", { resources: ["*/scale"] }, requestTo("apps/v1/deployments", { subresource: "scale" }), true],
    ["a subresource of all", { resources: ["*/scale"] }, requestTo("apps/v1/deployments"), false],
    ["another operation", { operations: ["DELETE", "UPDATE"] }, requestTo("/v1/pods"), false],
    ["another group", { apiGroups: ["apps"] }, requestTo("/v1/pods"), false],
    ["another version", { apiVersions: ["v2"] }, requestTo("/v1/pods"), false],
    ["what is in namespaces", { scope: "Namespaced" }, requestTo("/v1/pods"), true],
    ["what is in namespaces", { scope: "Namespaced" }, requestTo("/v1/nodes"), false],
    ["what is in namespaces", { scope: "Namespaced" }, requestTo("/v1/namespaces", { namespace: "x" }), false],
    ["what is in none", { scope: "Cluster" }, requestTo("/v1/namespaces", { namespace: "x" }), true],
    ["what is in none", { scope: "Cluster" }, requestTo("/v1/pods"), false],
  ])("for %s", (_, rule, request, isInterested) => {
    expect(matcher([{ ...everything, ...rule }]).interest(request, builtinResources) !== undefined).toBe(isInterested);
  });

  test("for one version match another of the same objects, unless they are exact", () => {
    const rules = [{ ...everything, apiGroups: ["events.k8s.io"] }];
    const request = requestTo("/v1/events");
    expect(matcher(rules).interest(request, builtinResources)).toBe(resourceAt("events.k8s.io/v1/events"));
    expect(matcher(rules, { matchPolicy: "Exact" }).interest(request, builtinResources)).toBeUndefined();
    expect(equivalentsOf(resourceAt("/v1/pods"), builtinResources)).toEqual([]);
  });

  test("are asked once for each sort of request, with the same answer as always", () => {
    const some = fc.constantFrom("*", "", "apps", "v1", "pods", "deployments", "pods/status", "*/*", "CREATE", "DELETE");
    const ruleOf = fc.record({
      operations: fc.array(fc.constantFrom("*" as const, "CREATE" as const, "DELETE" as const), { maxLength: 2 }),
      apiGroups: fc.array(some, { maxLength: 3 }),
      apiVersions: fc.array(some, { maxLength: 3 }),
      resources: fc.array(some, { maxLength: 3 }),
      scope: fc.constantFrom("*" as const, "Namespaced" as const, "Cluster" as const),
    });
    const requestOf = fc
      .tuple(
        fc.constantFrom("/v1/pods", "/v1/nodes", "/v1/namespaces", "apps/v1/deployments", "/v1/events", "events.k8s.io/v1/events"),
        fc.constantFrom("CREATE" as const, "DELETE" as const, "CONNECT" as const),
        fc.constantFrom(undefined, "status"),
      )
      .map(([path, operation, subresource]) => requestTo(path, { operation, subresource }));
    fc.assert(
      fc.property(fc.array(fc.array(ruleOf, { maxLength: 3 }), { maxLength: 4 }), fc.array(requestOf, { maxLength: 12 }), (ruleLists, requests) => {
        const judges = ruleLists.map((rules) => ({ matcher: matcher(rules) }));
        const interests = new Interests(judges, builtinResources);
        for (const request of requests) {
          const expected = judges.flatMap((judge, index) => {
            const resource = judge.matcher.interest(request, builtinResources);
            return resource === undefined ? [] : [{ judge, index, resource }];
          });
          expect(interests.of(request)).toEqual(expected);
        }
      }),
    );
  });
});

describe("selectors", () => {
  const object = (labels: Record<string, string>): UnknownObject => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "x", labels } });
  const store = { get: () => object({ team: "a" }) };

  test("of objects look at what is and at what was", () => {
    const picky = matcher([everything], { objectSelector: { matchLabels: { a: "b" } } });
    const matches = (before: Record<string, string>, after: Record<string, string>): boolean =>
      picky.matches(requestTo("/v1/pods", { oldObject: object(before), object: object(after) }), store, builtinResources);
    expect([matches({ a: "b" }, {}), matches({}, { a: "b" }), matches({}, {})]).toEqual([true, true, false]);
  });

  test("of namespaces say nothing of what is in none, and of a namespace itself what it will be", () => {
    const picky = matcher([everything], { namespaceSelector: { matchLabels: { team: "b" } } });
    expect(picky.matches(requestTo("/v1/pods"), store, builtinResources)).toBe(false);
    expect(picky.matches(requestTo("/v1/nodes"), store, builtinResources)).toBe(true);
    const namespace = requestTo("/v1/namespaces", { namespace: "x", object: object({ team: "b" }) });
    expect(picky.matches(namespace, store, builtinResources)).toBe(true);
    expect(() => picky.matches(requestTo("/v1/pods"), { get: () => undefined }, builtinResources)).toThrow('namespaces "default" not found');
  });
});

test("an event is shown as the webhook's version has it, and comes back as it was", () => {
  const [core, other] = [resourceAt("/v1/events"), resourceAt("events.k8s.io/v1/events")];
  const event: UnknownObject = { apiVersion: "v1", kind: "Event", metadata: { name: "e" }, involvedObject: { name: "p" }, message: "hello" };
  const shown = asEquivalent(event, core, other);
  expect(shown).toEqual({ apiVersion: "events.k8s.io/v1", kind: "Event", metadata: { name: "e" }, regarding: { name: "p" }, note: "hello" });
  expect(asEquivalent(shown, other, core)).toEqual(event);
});
