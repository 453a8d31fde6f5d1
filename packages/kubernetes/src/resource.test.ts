import { describe, expect, it } from "vitest";
import { apiVersionOf, defineResource, pathOf } from "./resource.ts";

const schema = { type: "object" } as const;
const Pod = defineResource({ group: "", version: "v1", kind: "Pod", plural: "pods", scope: "Namespaced", schema });
const Job = defineResource({ group: "batch", version: "v1", kind: "Job", plural: "jobs", scope: "Namespaced", schema });

describe("resource", () => {
  it.each([
    [Pod, {}, "/api/v1/pods"],
    [Pod, { namespace: "a" }, "/api/v1/namespaces/a/pods"],
    [Pod, { namespace: "a", name: "x", subresource: "log" }, "/api/v1/namespaces/a/pods/x/log"],
    [Job, { name: "x" }, "/apis/batch/v1/jobs/x"],
    [Job, { namespace: "a", name: "../b?c" }, "/apis/batch/v1/namespaces/a/jobs/..%2Fb%3Fc"],
  ])("has a path", (resource, at, path) => {
    expect(pathOf(resource, at)).toBe(path);
  });

  it("has Kubernetes' usual defaults", () => {
    expect(Job).toMatchObject({ singular: "job", listKind: "JobList", shortNames: [], subresources: { status: false } });
    expect([apiVersionOf(Pod), apiVersionOf(Job)]).toEqual(["v1", "batch/v1"]);
  });
});
