import { describe, expect, it } from "vitest";
import type { UnknownObject } from "../object.ts";
import { validate } from "../schema-validate.ts";
import { applyBuiltinDefaults, builtinDefinition, builtinResources, CronJob, definitionNames, Deployment, EventsV1Event, Job, Pod } from "./index.ts";

const resolve = builtinDefinition;
const container = { name: "main", image: "busybox" };
const object = (kind: string, spec: object): UnknownObject => ({ apiVersion: "v1", kind, metadata: { name: "x" }, spec });
const causes = (value: UnknownObject): string[] =>
  validate(applyBuiltinDefaults(value, Pod), Pod.schema, { resolve }).map(({ field, message }) => `${field}: ${message}`);

describe("built-in kinds", () => {
  it("compile, each with all that it refers to", () => {
    const refs = (node: unknown): string[] =>
      typeof node !== "object" || node === null
        ? []
        : Object.entries(node).flatMap(([key, value]) => (key === "ref" ? [String(value)] : refs(value)));
    const known = new Set(definitionNames());
    for (const name of known) for (const ref of refs(builtinDefinition(name))) expect(known).toContain(ref);
    for (const { schema } of builtinResources) expect(known).toContain(schema.ref);
  });

  it("have upstream's names", () => {
    expect(Pod).toMatchObject({ plural: "pods", shortNames: ["po"], scope: "Namespaced", subresources: { status: true } });
    expect(EventsV1Event).toMatchObject({ group: "events.k8s.io", kind: "Event", subresources: { status: false } });
    expect(CronJob.plural).toBe("cronjobs");
    expect(new Set(builtinResources.map(({ group, version, plural }) => `${group}/${version}/${plural}`)).size).toBe(builtinResources.length);
  });

  it("say what is wrong with a pod", () => {
    expect(causes(object("Pod", { containers: [{ image: "a" }] }))).toEqual(["spec.containers[0].name: Required value"]);
    expect(causes(object("Pod", { containers: [container, container] }))).toEqual(['spec.containers[1]: Duplicate value: {"name":"main"}']);
    expect(causes(object("Pod", { containers: [container], restartPolicy: "Sometimes" }))).toEqual([
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ]);
    expect(causes(object("Pod", {}))).toEqual(["spec.containers: Required value"]);
    expect(causes(object("Pod", { containers: [{ ...container, resources: { limits: { cpu: 1, memory: "1Gi" } } }] }))).toEqual([]);
  });

  it("have upstream's defaults, those that depend on other fields too, and keep them", () => {
    const pod = applyBuiltinDefaults(
      object("Pod", { containers: [{ ...container, image: "r:5000/a:1", resources: { limits: { cpu: "1" } } }] }),
      Pod,
    );
    expect(pod).toMatchObject({
      spec: {
        restartPolicy: "Always",
        dnsPolicy: "ClusterFirst",
        containers: [{ imagePullPolicy: "IfNotPresent", resources: { requests: { cpu: "1" } } }],
      },
    });
    expect(applyBuiltinDefaults(pod, Pod)).toBe(pod);
    const template = { spec: { containers: [container] } };
    const job = (spec: object): unknown => applyBuiltinDefaults(object("Job", { template, ...spec }), Job)["spec"];
    expect(job({})).toMatchObject({ completions: 1, parallelism: 1, backoffLimit: 6, suspend: false });
    for (const parallelism of [1, 3]) expect(job({ parallelism })).not.toHaveProperty("completions");
    expect(job({ completions: 4 })).toMatchObject({ completions: 4, parallelism: 1 });
    const strategy = (given: object): unknown => applyBuiltinDefaults(object("Deployment", { template, strategy: given }), Deployment)["spec"];
    expect(strategy({})).toMatchObject({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } } });
    expect(strategy({ type: "Recreate" })).toMatchObject({ strategy: { type: "Recreate" } });
  });
});
