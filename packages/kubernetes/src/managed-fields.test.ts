import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigMap, Deployment } from "./builtin/index.ts";
import type { FieldSet } from "./field-set.ts";
import { applyFields, isSameOwnership, trackUpdate } from "./managed-fields.ts";
import type { UnknownObject } from "./object.ts";
import { defineResource, type Resource } from "./resource.ts";
import { jsonEqual } from "./json-equal.ts";

const time = "2030-01-01T00:00:00Z";
const identity = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "a" } };
const object = (spec: unknown, labels?: Record<string, string>): UnknownObject => ({
  ...identity,
  metadata: { name: "a", ...(labels === undefined ? {} : { labels }) },
  spec,
});
const apply = (
  live: UnknownObject | undefined,
  manager: string,
  spec: unknown,
  options: { force?: boolean; resource?: Resource; labels?: Record<string, string> } = {},
): UnknownObject =>
  applyFields({ live, applied: object(spec, options.labels), force: options.force ?? false }, options.resource ?? Deployment, { manager, time });
const update = (live: UnknownObject | undefined, manager: string, spec: unknown): UnknownObject =>
  trackUpdate(live, { ...object(spec), metadata: { ...object(spec).metadata, ...live?.metadata } }, Deployment, { manager, time });
const owned = ({ metadata }: UnknownObject, manager: string): FieldSet | undefined =>
  metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1;
const containers = (...list: object[]): object => ({ template: { spec: { containers: list } } });

describe("apply", () => {
  test("owns what it says, by field and by key", () => {
    const created = apply(
      undefined,
      "me",
      { replicas: 1, ...containers({ name: "c", image: "x", ports: [{ containerPort: 80 }], args: ["1"] }) },
      { labels: { app: "a" } },
    );
    expect(created.metadata.managedFields).toEqual([
      {
        manager: "me",
        operation: "Apply",
        apiVersion: "apps/v1",
        time,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { "f:app": {} } },
          "f:spec": {
            "f:replicas": {},
            "f:template": {
              "f:spec": {
                "f:containers": {
                  'k:{"name":"c"}': {
                    ".": {},
                    "f:args": {},
                    "f:image": {},
                    "f:name": {},
                    "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });

  test("conflicts only where it would change what another owns; force takes it over", () => {
    const live = update(undefined, "kubectl-client-side-apply", { replicas: 3 });
    expect(() => apply(live, "me", { replicas: 5 })).toThrow(
      'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
    );
    const agreed = apply(live, "me", { replicas: 3 });
    expect(owned(agreed, "kubectl-client-side-apply")).toEqual(owned(agreed, "me"));
    const forced = apply(live, "me", { replicas: 5 }, { force: true });
    expect(forced["spec"]).toEqual({ replicas: 5 });
    expect(owned(forced, "kubectl-client-side-apply")).toBeUndefined();
  });

  test("names every conflict", () => {
    const live = apply(undefined, "other", { replicas: 1, ...containers({ name: "c", image: "x" }) });
    let thrown: unknown;
    try {
      apply(live, "me", { replicas: 2, ...containers({ name: "c", image: "y" }) });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      message: 'Apply failed with 2 conflicts: conflicts with "other":\n- .spec.replicas\n- .spec.template.spec.containers[name="c"].image',
      code: 409,
      reason: "Conflict",
      details: {
        causes: [
          { reason: "FieldManagerConflict", message: 'conflict with "other"', field: ".spec.replicas" },
          { reason: "FieldManagerConflict", message: 'conflict with "other"', field: '.spec.template.spec.containers[name="c"].image' },
        ],
      },
    });
  });

  test("what it no longer says goes, unless another owns it; defaults go with what they belong to", () => {
    const probe = { livenessProbe: { tcpSocket: { port: 1 } } };
    const created = apply(undefined, "me", {
      replicas: 1,
      paused: true,
      ...containers({ name: "c", image: "x", ...probe }, { name: "d", image: "x" }),
    });
    const defaulted = {
      ...created,
      spec: {
        ...(created["spec"] as object),
        revisionHistoryLimit: 10,
        ...containers(
          { name: "c", image: "x", livenessProbe: { tcpSocket: { port: 1 }, periodSeconds: 10 } },
          { name: "d", image: "x", imagePullPolicy: "Always" },
        ),
      },
    };
    const shared = apply(defaulted, "other", { paused: true });
    const next = apply(shared, "me", containers({ name: "c", image: "x" }));
    expect(next["spec"]).toEqual({ paused: true, revisionHistoryLimit: 10, ...containers({ name: "c", image: "x" }) });
  });

  test("an empty map that gets content stays", () => {
    const live = apply(undefined, "me", { template: { spec: { volumes: [{ name: "v", emptyDir: {} }] } } });
    const next = apply(live, "me", { template: { spec: { volumes: [{ name: "v", emptyDir: { medium: "Memory" } }] } } });
    expect(next["spec"]).toEqual({ template: { spec: { volumes: [{ name: "v", emptyDir: { medium: "Memory" } }] } } });
  });

  test("elements take the applied order, others stay where they were", () => {
    const live = update(undefined, "x", containers({ name: "a" }, { name: "b" }, { name: "c" }));
    const next = apply(live, "me", containers({ name: "c" }, { name: "a" }, { name: "n" }));
    expect(next["spec"]).toEqual(containers({ name: "c" }, { name: "a" }, { name: "b" }, { name: "n" }));
  });

  test("an object without books is owned by before-first-apply", () => {
    const live = object({ replicas: 1, paused: true });
    expect(() => apply(live, "me", { replicas: 2 })).toThrow('conflict with "before-first-apply" using apps/v1: .spec.replicas');
  });

  test("untyped parts merge by field, and keys of maps are members", () => {
    const resource = defineResource<UnknownObject>({
      group: "apps",
      version: "v1",
      kind: "X",
      plural: "xs",
      scope: "Cluster",
      schema: { type: "object", properties: { spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true } } },
    });
    const live = apply(undefined, "a", { x: { one: 1 }, list: [1] }, { resource });
    const next = apply(live, "b", { x: { two: 2 } }, { resource });
    expect(next["spec"]).toEqual({ x: { one: 1, two: 2 }, list: [1] });
    expect(owned(next, "b")).toEqual({ "f:spec": { "f:x": { ".": {}, "f:two": {} } } });
    expect(apply(next, "a", { list: [1] }, { resource })["spec"]).toEqual({ x: { two: 2 }, list: [1] });
  });

  test("keys named like members of Object are keys", () => {
    const live = applyFields(
      { live: undefined, applied: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { constructor: "1" } }, force: false },
      ConfigMap,
      { manager: "me", time },
    );
    const next = applyFields(
      { live, applied: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { toString: "2" } as never }, force: false },
      ConfigMap,
      { manager: "me", time },
    );
    expect(Object.entries(next["data"] as object)).toEqual([["toString", "2"]]);
  });
});

describe("track", () => {
  test("a writer owns what it changes, and others lose it", () => {
    const created = update(undefined, "a", { replicas: 1, paused: false });
    const changed = update(created, "b", { replicas: 2 });
    expect(owned(changed, "a")).toBeUndefined();
    expect(owned(changed, "b")).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  test("times move only with the set", () => {
    const created = update(undefined, "a", { replicas: 1 });
    const later = trackUpdate(created, { ...created, spec: { replicas: 2 } }, Deployment, { manager: "a", time: "2031-01-01T00:00:00Z" });
    expect(later.metadata.managedFields).toEqual(created.metadata.managedFields);
  });

  test("what is removed is owned by nobody", () => {
    const created = update(undefined, "a", { replicas: 1, ...containers({ name: "c", image: "x" }) });
    const removed = update(created, "b", { replicas: 1 });
    expect(owned(removed, "a")).toEqual({ "f:spec": { "f:replicas": {} } });
    expect(owned(removed, "b")).toBeUndefined();
  });

  test("many writers become one", () => {
    let live = update(undefined, "m", { replicas: 0 });
    for (let i = 0; i < 20; i++)
      live = trackUpdate(live, { ...live, metadata: { ...live.metadata, labels: { ...live.metadata.labels, [`l${i}`]: "x" } } }, Deployment, {
        manager: `m${i}`,
        time,
      });
    expect(live.metadata.managedFields).toHaveLength(10);
    expect(live.metadata.managedFields?.some(({ manager }) => manager === "ancient-changes")).toBe(true);
  });
});

describe("properties", () => {
  const container = fc.record(
    { name: fc.constantFrom("a", "b", "c"), image: fc.constantFrom("1", "2"), stdin: fc.boolean(), args: fc.constantFrom([], ["x"]) },
    { requiredKeys: ["name"] },
  );
  const wish = fc.record(
    {
      replicas: fc.constantFrom(1, 2),
      paused: fc.boolean(),
      selector: fc.constantFrom({ matchLabels: { a: "1" } }, { matchLabels: { a: "2" } }),
      template: fc.record(
        {
          metadata: fc.record({ labels: fc.dictionary(fc.constantFrom("x", "y", "constructor"), fc.constantFrom("1", "2")) }, { requiredKeys: [] }),
          spec: fc.record(
            { containers: fc.uniqueArray(container, { selector: ({ name }) => name }), nodeSelector: fc.constantFrom({}, { z: "1" }) },
            { requiredKeys: [] },
          ),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  );

  test("applying twice is applying once", () => {
    fc.assert(
      fc.property(fc.option(wish, { nil: undefined }), wish, wish, (start, first, second) => {
        const live = start === undefined ? undefined : update(undefined, "x", start);
        const once = apply(apply(live, "me", first, { force: true }), "me", second, { force: true });
        const twice = apply(once, "me", second);
        expect(jsonEqual({ ...twice, metadata: null }, { ...once, metadata: null })).toBe(true);
        expect(isSameOwnership(twice.metadata.managedFields, once.metadata.managedFields)).toBe(true);
      }),
    );
  });

  test("managers that want different fields never conflict, in either order, and keep what they want", () => {
    const one = fc.record(
      { replicas: fc.nat(3), template: fc.record({ spec: fc.record({ containers: fc.constant([{ name: "a", image: "1" }]) }) }) },
      { requiredKeys: [] },
    );
    const two = fc.record(
      {
        paused: fc.boolean(),
        template: fc.record({
          spec: fc.record({
            containers: fc.constant([
              { name: "a", stdin: true },
              { name: "b", image: "2" },
            ]),
          }),
        }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.tuple(fc.constant("one"), one), fc.tuple(fc.constant("two"), two)), { minLength: 1 }), (steps) => {
        let live: UnknownObject | undefined;
        for (const [manager, spec] of steps) live = apply(live, manager, spec);
        for (const manager of ["one", "two"]) {
          const last = steps.findLast(([who]) => who === manager)?.[1];
          if (last === undefined || live === undefined) continue;
          expect(apply(live, manager, last)).toEqual(live);
        }
      }),
    );
  });

  test("what a manager stops applying goes unless another owns it", () => {
    fc.assert(
      fc.property(wish, wish, (mine, theirs) => {
        const alone = apply(apply(undefined, "me", mine), "me", {});
        expect(alone["spec"]).toEqual({});
        const both = apply(apply(undefined, "them", theirs), "me", mine, { force: true });
        const wanted = owned(both, "them");
        const left = apply(both, "me", {});
        expect(
          isSameOwnership(
            left.metadata.managedFields?.filter(({ manager }) => manager === "them"),
            [{ manager: "them", operation: "Apply", apiVersion: "apps/v1", fieldsType: "FieldsV1", fieldsV1: wanted ?? {} }].filter(
              ({ fieldsV1 }) => Object.keys(fieldsV1).length > 0,
            ) as never,
          ),
        ).toBe(true);
      }),
    );
  });
});
