import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtinDefinition } from "./builtin/index.ts";
import { isApiError } from "./errors.ts";
import { applyStrategicMergePatch } from "./strategic-merge-patch.ts";

const patched = (definition: string, target: unknown, patch: unknown): unknown =>
  applyStrategicMergePatch(target, patch, { ref: `io.k8s.api.${definition}` }, { resolve: builtinDefinition });
const pod = (spec: object): object => ({ kind: "Pod", spec });

test.each<[string, object, object, object]>([
  [
    "a list merges by its key; a new element comes first",
    {
      containers: [
        { name: "a", image: "1" },
        { name: "b", image: "1" },
      ],
    },
    {
      containers: [
        { name: "b", image: "2" },
        { name: "c", image: "3" },
      ],
    },
    {
      containers: [
        { name: "a", image: "1" },
        { name: "b", image: "2" },
        { name: "c", image: "3" },
      ],
    },
  ],
  ["a new element alone", { containers: [{ name: "a" }] }, { containers: [{ name: "b" }] }, { containers: [{ name: "b" }, { name: "a" }] }],
  [
    "$patch delete takes an element",
    { containers: [{ name: "a" }, { name: "b" }] },
    { containers: [{ name: "a", $patch: "delete" }] },
    { containers: [{ name: "b" }] },
  ],
  [
    "$patch replace takes the whole list",
    { containers: [{ name: "a" }] },
    { containers: [{ name: "b" }, { $patch: "replace" }] },
    { containers: [{ name: "b" }] },
  ],
  [
    "$patch replace takes the whole map",
    { securityContext: { runAsUser: 1 } },
    { securityContext: { $patch: "replace", runAsGroup: 2 } },
    { securityContext: { runAsGroup: 2 } },
  ],
  ["$patch delete empties a map", { nodeSelector: { a: "b" } }, { nodeSelector: { $patch: "delete" } }, { nodeSelector: {} }],
  [
    "$retainKeys leaves only what it names",
    { volumes: [{ name: "v", emptyDir: {} }] },
    { volumes: [{ name: "v", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
    { volumes: [{ name: "v", hostPath: { path: "/x" } }] },
  ],
  [
    "an order alone sorts",
    { containers: [{ name: "a" }, { name: "b" }, { name: "s" }] },
    { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
    { containers: [{ name: "b" }, { name: "a" }, { name: "s" }] },
  ],
  [
    "a list without a strategy is replaced",
    { containers: [{ name: "a", args: ["1", "2"] }] },
    { containers: [{ name: "a", args: ["3"] }] },
    { containers: [{ name: "a", args: ["3"] }] },
  ],
  ["null deletes, also where nothing is", { hostname: "x" }, { hostname: null, subdomain: null }, {}],
  ["nulls in what is new mean nothing", {}, { securityContext: { runAsUser: null, runAsGroup: 1 } }, { securityContext: { runAsGroup: 1 } }],
  [
    "ports merge by containerPort",
    { containers: [{ name: "a", ports: [{ containerPort: 1 }] }] },
    { containers: [{ name: "a", ports: [{ containerPort: 1, name: "x" }] }] },
    { containers: [{ name: "a", ports: [{ containerPort: 1, name: "x" }] }] },
  ],
])("%s", (_, target, patch, expected) => {
  expect(patched("core.v1.Pod", pod(target), pod(patch))).toEqual(pod(expected));
});

test("lists of scalars merge, and lose what the patch names", () => {
  const finalizers = (list: string[]): object => ({ metadata: { finalizers: list } });
  expect(patched("core.v1.Pod", finalizers(["a", "b"]), finalizers(["c"]))).toEqual(finalizers(["c", "a", "b"]));
  const patch = { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"] } };
  expect(patched("core.v1.Pod", finalizers(["a", "b"]), patch)).toEqual(finalizers(["b"]));
});

test("a deployment's strategy keeps what the patch retains", () => {
  const target = { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } };
  const patch = { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } };
  expect(patched("apps.v1.Deployment", target, patch)).toEqual({ spec: { strategy: { type: "Recreate" } } });
});

describe("refuses", () => {
  test.each([
    ["an unknown directive", { spec: { $patch: "bogus" } }, "Invalid", /unknown patch type 'bogus' in map/],
    ["an element without its key", { spec: { containers: [{ image: "x" }] } }, "Invalid", /does not contain declared merge key: name/],
    ["keys that are not retained", { spec: { $retainKeys: ["a"], hostname: "x" } }, "BadRequest", /invalid patch format of retainKeys/],
    [
      "an order that contradicts the list",
      { spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }], containers: [{ name: "a" }, { name: "b" }] } },
      "BadRequest",
      /doesn't match \$setElementOrder/,
    ],
    ["what is no object", "x", "BadRequest", /must be an object/],
  ])("%s", (_, patch, reason, message) => {
    let thrown: unknown;
    try {
      patched("core.v1.Pod", pod({ containers: [{ name: "z" }] }), patch);
    } catch (error) {
      thrown = error;
    }
    expect(isApiError(thrown) && thrown.reason).toBe(reason);
    expect(String(thrown)).toMatch(message);
  });
});

test("property: patching twice changes nothing more, and the target stays as it was", () => {
  const container = fc.record({ name: fc.constantFrom("a", "b", "c"), image: fc.constantFrom("1", "2") }, { requiredKeys: ["name"] });
  const containers = fc.uniqueArray(container, { selector: ({ name }) => name });
  fc.assert(
    fc.property(containers, containers, (before, patch) => {
      const target = pod({ containers: before });
      const text = JSON.stringify(target);
      const once = patched("core.v1.Pod", target, pod({ containers: patch }));
      expect(patched("core.v1.Pod", once, pod({ containers: patch }))).toEqual(once);
      expect(JSON.stringify(target)).toBe(text);
      const names = (once as { spec: { containers: { name: string }[] } }).spec.containers.map(({ name }) => name);
      expect(new Set(names)).toEqual(new Set([...before, ...patch].map(({ name }) => name)));
    }),
  );
});
