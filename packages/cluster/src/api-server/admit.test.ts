import { ApiError, type UnknownObject } from "@sluice/kubernetes";
import { afterEach, describe, expect, test } from "vitest";
import type { AdmissionPlugin, AdmissionRequest } from "../admission/admission.ts";
import { openWorld, type World } from "./world.fixture.ts";

const worlds: World[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world[Symbol.asyncDispose]();
});

/** A world in which `plugins` judge what is done to config maps, pods and deployments. */
async function worldWith(...plugins: Partial<AdmissionPlugin>[]): Promise<World> {
  const handles = ({ resource }: AdmissionRequest): boolean => ["configmaps", "pods", "deployments"].includes(resource.plural);
  const world = await openWorld({ admission: plugins.map((plugin, i) => ({ name: `plugin ${i}`, handles, ...plugin })) });
  worlds.push(world);
  return world;
}

const maps = "/api/v1/namespaces/default/configmaps";
const pods = "/api/v1/namespaces/default/pods";
const map = (metadata: object, data: object = {}): UnknownObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "m", ...metadata },
  data: { ...data },
});
const merged = (body: object): object => ({ contentType: "application/merge-patch+json", body });
const refusing = (): never => {
  throw new ApiError("Forbidden", "no");
};
const data = (object: UnknownObject | undefined): Record<string, string> => ({ ...(object?.["data"] as Record<string, string> | undefined) });
/** A mutation that writes its name, now or later. */
const writing =
  (key: string, wait: boolean): NonNullable<AdmissionPlugin["mutate"]> =>
  ({ object }) => {
    const next = { ...object, data: { ...data(object), [key]: Object.keys(data(object)).toSorted().join("+") } };
    return wait ? Promise.resolve(next) : next;
  };

describe.each([
  ["at once", false],
  ["later", true],
])("judges that answer %s", (_, wait) => {
  const answer = <T>(value: T): T | Promise<T> => (wait ? Promise.resolve(value) : value);

  test("mutate in order, and what they add is nobody's", async () => {
    const world = await worldWith({ mutate: writing("a", wait) }, { mutate: writing("b", wait) });
    const created = await world.send("POST", maps, { body: map({}, { c: "1" }), query: { fieldManager: "me" } });
    expect(created["data"]).toEqual({ c: "1", a: "c", b: "a+c" });
    expect(created.metadata.managedFields).toMatchObject([{ manager: "me", fieldsV1: { "f:data": { "f:c": {} } } }]);
    expect(JSON.stringify(created.metadata.managedFields)).not.toContain("f:a");
    const updated = await world.send("PATCH", `${maps}/m`, { ...merged({ data: { a: null, d: "2" } }), query: { fieldManager: "me" } });
    expect(updated["data"]).toEqual({ c: "1", d: "2", a: "b+c+d", b: "a+b+c+d" });
  });

  test("judge again what changes while they think, and see what is stored", async () => {
    let isFirst = true;
    const world: World = await worldWith({
      mutate: async ({ object, operation, oldObject }) => {
        if (operation === "UPDATE" && isFirst) {
          isFirst = false;
          await world.store.write("configmaps", object.metadata, (current) => ({ ...map(current?.metadata ?? {}), data: { n: "other" } }));
        }
        return { ...object, data: { ...data(object), seen: data(oldObject)["n"] ?? "" } };
      },
    });
    await world.send("POST", maps, { body: map({}, { n: "1" }) });
    expect((await world.send("PATCH", `${maps}/m`, merged({ data: { x: "1" } })))["data"]).toEqual({ n: "other", x: "1", seen: "other" });

    isFirst = true;
    const stale = await world.send("GET", `${maps}/m`);
    expect(await world.refusal("PUT", `${maps}/m`, { body: { ...stale, data: {} } })).toMatchObject({ reason: "Conflict" });
  });

  test("may refuse anything, and nothing happens", async () => {
    const seen: string[] = [];
    let isOpen = true;
    const world = await worldWith({
      validate: ({ operation, subresource, name, object }) => {
        seen.push([operation, subresource ?? "-", name, object?.kind ?? "-"].join(" "));
        return isOpen ? answer(undefined) : wait ? Promise.resolve().then(refusing) : refusing();
      },
    });
    await world.send("POST", pods, {
      body: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "x" }] } },
    });
    await world.send("POST", maps, { body: map({ name: undefined, generateName: "g-" }) });
    const before = await world.send("GET", `${pods}/p`);
    isOpen = false;
    for (const [method, path, sent] of [
      ["POST", pods, { body: { ...before, metadata: { name: "q" } } }],
      ["PUT", `${pods}/p`, { body: before }],
      ["PATCH", `${pods}/p`, merged({ metadata: { labels: { a: "b" } } })],
      ["PATCH", `${pods}/p/status`, merged({ status: { phase: "Running" } })],
      ["POST", `${pods}/p/binding`, { body: { target: { name: "n" } } }],
      ["POST", `${pods}/p/eviction`, { body: {} }],
      ["DELETE", `${pods}/p`, {}],
      ["DELETE", pods, {}],
    ] as const) {
      expect(await world.refusal(method, path, sent), `${method} ${path}`).toMatchObject({ reason: "Forbidden", message: "no" });
    }
    await expect(world.apply(`${maps}/new`, { ...map({ name: "new" }) }, "me")).rejects.toThrow("no");
    expect(await world.send("GET", `${pods}/p`)).toEqual(before);
    expect(seen).toEqual([
      "CREATE - p Pod",
      expect.stringMatching(/^CREATE - g-.{5} ConfigMap$/u),
      "CREATE - q Pod",
      "UPDATE - p Pod",
      "UPDATE - p Pod",
      "UPDATE status p Pod",
      "CREATE binding p Binding",
      "CREATE eviction p Eviction",
      "DELETE - p -",
      "DELETE - p -",
      "CREATE - new ConfigMap",
    ]);
  });

  test("see replicas as a Scale, and may change them", async () => {
    const at = "/apis/apps/v1/namespaces/default/deployments";
    const world = await worldWith({
      handles: ({ subresource }) => subresource === "scale",
      mutate: ({ object }) => answer({ ...object, spec: { replicas: 7 } }),
    });
    await world.send("POST", at, {
      body: {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "d" },
        spec: {
          selector: { matchLabels: { a: "b" } },
          template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } },
        },
      },
    });
    expect(await world.send("PATCH", `${at}/d/scale`, merged({ spec: { replicas: 3 } }))).toMatchObject({ kind: "Scale", spec: { replicas: 7 } });
    expect((await world.send("GET", `${at}/d`))["spec"]).toMatchObject({ replicas: 7 });
  });

  test("may mend an object that is not valid, whose name is yet to be made; defaults follow", async () => {
    const names: string[] = [];
    const world = await worldWith({
      mutate: ({ object, name }) => {
        names.push(`${name}|${object.metadata.name}`);
        return answer({ ...object, spec: { containers: [{ name: "c", image: "x:latest" }], nonsense: 1 } });
      },
    });
    const created = await world.send("POST", pods, { body: { apiVersion: "v1", kind: "Pod", metadata: { generateName: "g-" }, spec: {} } });
    expect(names).toEqual(["|"]);
    expect(created.metadata.name).toMatch(/^g-.{5}$/u);
    expect(created["spec"]).toMatchObject({ restartPolicy: "Always", containers: [{ imagePullPolicy: "Always" }], serviceAccountName: "default" });
    expect(created["spec"]).not.toHaveProperty("nonsense");
  });

  test("cannot make a change of a write that changes nothing", async () => {
    const world = await worldWith({ mutate: ({ object }) => answer({ ...object, data: { fixed: "1" } }) });
    const created = await world.send("POST", maps, { body: map({}) });
    const patched = await world.send("PATCH", `${maps}/m`, merged({ data: { x: "1" } }));
    expect(patched.metadata.resourceVersion).toBe(created.metadata.resourceVersion);
  });

  test("charge what is written, and nothing else", async () => {
    let used = 0;
    const charge = (): (() => void) => {
      if (used >= 2) refusing();
      used++;
      return () => used--;
    };
    const world = await worldWith({ validate: () => answer(undefined), charge: ({ operation }) => (operation === "CREATE" ? charge() : undefined) });
    await world.send("POST", maps, { body: map({}), query: { dryRun: "All" } });
    expect(used).toBe(0);
    await world.send("POST", maps, { body: map({}) });
    await world.refusal("POST", maps, { body: map({}) });
    expect(used).toBe(1);
    await world.apply(`${maps}/n`, map({ name: "n" }), "me");
    expect(used).toBe(2);
    expect(await world.refusal("POST", maps, { body: map({ name: "o" }) })).toMatchObject({ message: "no" });
    expect(await world.refusal("POST", maps, { body: map({ name: "o" }), query: { dryRun: "All" } })).toMatchObject({ message: "no" });
    await world.store.close();
    used = 0;
    await expect(world.send("POST", maps, { body: map({ name: "p" }) })).rejects.toThrow("closed");
    expect(used).toBe(0);
  });
});

test("of many who write at once each is judged on what is there when it is written, or is told to try again", async () => {
  const world: World = await worldWith({
    handles: ({ operation }) => operation === "UPDATE",
    // Turns of the event loop pass, in which others write.
    mutate: async ({ object, oldObject }) => {
      await new Promise((resolve) => setImmediate(resolve));
      return { ...object, data: { n: String(Number(data(oldObject)["n"]) + 1) } };
    },
  });
  await world.send("POST", maps, { body: map({}, { n: "0" }) });
  const writers = Array.from({ length: 12 }, (_, i) => world.send("PATCH", `${maps}/m`, merged({ metadata: { labels: { [`w${i}`]: "" } } })));
  const outcomes = await Promise.allSettled(writers);
  const written = outcomes.filter(({ status }) => status === "fulfilled").length;
  expect(written).toBeGreaterThan(0);
  for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ reason: "Conflict" });
  const now = await world.send("GET", `${maps}/m`);
  expect([data(now)["n"], Object.keys(now.metadata.labels ?? {})]).toEqual([String(written), expect.objectContaining({ length: written })]);
});

test("nothing comes to be in a namespace that goes while it is judged", async () => {
  const world: World = await worldWith({
    mutate: async ({ object, namespace = "" }) => {
      await world.send("DELETE", `/api/v1/namespaces/${namespace}`);
      return object;
    },
  });
  await world.send("POST", "/api/v1/namespaces", { body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } } });
  const there = "/api/v1/namespaces/n/configmaps";
  expect((await world.refusal("POST", there, { body: map({}) })).toStatus()).toMatchObject({
    details: { causes: [{ reason: "NamespaceTerminating" }] },
  });
  expect((await world.send("GET", there))["items"]).toEqual([]);
});

test("nobody moves an object that its path names", async () => {
  const world = await worldWith({
    mutate: ({ object }) => ({ ...object, metadata: { ...object.metadata, name: "x", namespace: "kube-system", uid: "u" } }),
  });
  const created = await world.apply(`${maps}/m`, map({}), "me");
  expect(created.metadata).toMatchObject({ name: "m", namespace: "default" });
  const updated = await world.send("PATCH", `${maps}/m`, merged({ data: { a: "b" } }));
  expect(updated.metadata).toMatchObject({ name: "m", namespace: "default", uid: created.metadata.uid });
});

test("warnings reach who made the request, once each, also if it is refused", async () => {
  const world = await worldWith({
    validate: (_, notes) => {
      notes.warn("careful");
      notes.warn("careful");
    },
  });
  expect(await world.respond("POST", maps, { body: map({}) })).toMatchObject({ warnings: ["careful"] });
  expect(await world.respond("PATCH", `${maps}/m`, merged({ data: { a: "b" } }))).toMatchObject({ warnings: ["careful"] });
  expect(await world.respond("DELETE", `${maps}/m`)).toMatchObject({ warnings: ["careful"] });
  const strict = await worldWith({
    validate: (_, notes) => {
      notes.warn("careful");
      refusing();
    },
  });
  expect(await strict.refusal("POST", maps, { body: map({}) })).toMatchObject({ warnings: ["careful"] });
});
