import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "@sluice/controller";
import { ConfigMap, Event, PersistentVolume, PersistentVolumeClaim, Pod, Secret, type PodSpec, type Volume } from "@sluice/kubernetes";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "./eventually.fixture.ts";
import type { VirtualResource } from "../api-server/registry.ts";
import { writePayload } from "./volumes/payload.ts";
import { logOf, openWorld, podOn, shell, untilPhase, type World } from "./world.fixture.ts";

let home: string;
let world: World;
/** How far the clock runs ahead. */
let ahead: number;
let tokens: number;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sluice-volumes-"));
  ahead = 0;
  tokens = 0;
  world = await openWorld({ directory: join(home, "node"), virtual: [tokenResource], clock });
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

const sleepers = new Set<() => void>();
/** The machine's clock, whose long sleeps a test can end. */
const clock: Clock = {
  now: () => Date.now() + ahead,
  async sleep(ms, signal) {
    const skip = new AbortController();
    const end = (): void => skip.abort();
    if (ms > 100_000) sleepers.add(end);
    await systemClock.sleep(ms, AbortSignal.any([signal, skip.signal]));
    sleepers.delete(end);
  },
};

const tokenResource: VirtualResource = {
  ...{ group: "", version: "v1", plural: "serviceaccounts", subresource: "token", method: "POST" },
  async answer({ body }) {
    const { spec } = body as { spec: { audiences: string[]; expirationSeconds: number; boundObjectRef: { name: string } } };
    const expirationTimestamp = new Date(clock.now() + spec.expirationSeconds * 1000).toISOString();
    const token = `token-${++tokens} of ${spec.boundObjectRef.name} for [${spec.audiences.join(" ")}]`;
    return {
      kind: "object",
      status: 201,
      object: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: { name: "" }, status: { token, expirationTimestamp } },
    };
  },
};

const configMap = (name: string, data: Record<string, string>) =>
  world.client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name }, data });

/** Runs a script with one volume at /v, and returns what it says. */
async function inVolume(
  volume: Omit<Volume, "name">,
  script: string,
  mount: Partial<NonNullable<PodSpec["containers"][number]["volumeMounts"]>[number]> = {},
  metadata: Partial<Pod["metadata"]> = {},
): Promise<string> {
  const mounted = { volumeMounts: [{ name: "v", mountPath: "/v", ...mount }], env: [{ name: "SUB", value: "expanded" }] };
  await world.client.create(Pod, podOn("a", { volumes: [{ name: "v", ...volume }], containers: [shell(script, mounted)] }, metadata));
  await untilPhase(world.client, "a", "Succeeded");
  return logOf(world, "a");
}

/** Empty while there is none. */
const logSoFar = (): Promise<string> => logOf(world, "a").catch(() => "");

describe("volumes", () => {
  test("of config maps and secrets hold their keys, or the items asked for, in their modes", async () => {
    await configMap("c", { one: "1", two: "2" });
    await world.client.create(Secret, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "s" },
      data: { key: Buffer.from("secret").toString("base64") },
    });
    const list = "cd /v && for f in $(find . -type l -o -type f | grep -v '\\.\\.' | sort); do echo $f $(cat $f) $(stat -L -c %a $f); done";
    expect(await inVolume({ configMap: { name: "c" } }, list)).toBe("./one 1 644\n./two 2 644\n");
    await world.client.delete(Pod, { namespace: "default", name: "a" });
    const sources = [
      { configMap: { name: "c", items: [{ key: "two", path: "deep/er", mode: 0o600 }] } },
      { secret: { name: "s" } },
      { configMap: { name: "none", optional: true } },
    ];
    const projected = await inVolume({ projected: { sources, defaultMode: 0o440 } }, "cat /v/deep/er /v/key; stat -L -c %a /v/deep/er /v/key");
    expect(projected).toBe("2secret600\n440\n");
  });

  test("show changes, all at once", async () => {
    const map = await configMap("c", { k: "old" });
    await world.client.create(
      Pod,
      podOn("a", {
        volumes: [{ name: "v", configMap: { name: "c" } }],
        containers: [
          shell("cat /v/k; while [ $(cat /v/k) = old ]; do sleep 0.02; done; cat /v/k /v/new", { volumeMounts: [{ name: "v", mountPath: "/v" }] }),
        ],
      }),
    );
    await eventually(() => logSoFar()).toBe("old");
    await world.client.update(ConfigMap, { ...map, data: { k: "new", new: "too" } });
    await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe("oldnewtoo");
  });

  test("hold the pod's own fields, also when they change", async () => {
    const downwardAPI = {
      items: [
        { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
        { path: "cpu", resourceFieldRef: { containerName: "main", resource: "limits.cpu" } },
      ],
    };
    const pod = podOn(
      "a",
      {
        volumes: [{ name: "v", downwardAPI }],
        containers: [shell("while ! grep -q b= /v/labels; do sleep 0.02; done; cat /v/labels", { volumeMounts: [{ name: "v", mountPath: "/v" }] })],
      },
      { labels: { z: "1", a: "q" } },
    );
    await world.client.create(Pod, pod);
    await untilPhase(world.client, "a", "Running");
    await world.client.patch(Pod, { namespace: "default", name: "a" }, { type: "merge", body: { metadata: { labels: { b: "2" } } } });
    await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe('a="q"\nb="2"\nz="1"');
  });

  test("hold tokens, and fresh ones before they expire", async () => {
    const projected = {
      sources: [
        { serviceAccountToken: { path: "token", audience: "x", expirationSeconds: 1000 } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      ],
    };
    await world.client.create(
      Pod,
      podOn("a", {
        volumes: [{ name: "v", projected }],
        containers: [
          shell("cat /v/ca.crt /v/token; while grep -q token-1 /v/token; do sleep 0.02; done; cat /v/token", {
            volumeMounts: [{ name: "v", mountPath: "/v" }],
          }),
        ],
      }),
    );
    await eventually(() => logSoFar()).toBe("CERTIFICATEtoken-1 of a for [x]");
    ahead += 800_000;
    for (const end of sleepers) end();
    await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe("CERTIFICATEtoken-1 of a for [x]token-2 of a for [x]");
  });

  test("of a claim outlive their pods, but not the claim", async () => {
    await world.client.create(PersistentVolumeClaim, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { namespace: "default", name: "claim" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
    const volume = { persistentVolumeClaim: { claimName: "claim" } };
    await inVolume(volume, "echo kept > /v/file");
    const { status } = await world.client.get(PersistentVolumeClaim, { namespace: "default", name: "claim" });
    expect(status).toMatchObject({ phase: "Bound", capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] });
    await world.client.delete(Pod, { namespace: "default", name: "a" });
    expect(await inVolume(volume, "cat /v/file")).toBe("kept\n");
    const { spec } = await world.client.get(PersistentVolumeClaim, { namespace: "default", name: "claim" });
    const { path = "" } = (await world.client.get(PersistentVolume, { name: spec.volumeName ?? "" })).spec.hostPath ?? {};
    expect(path.startsWith(join(home, "node/volumes/pvc-"))).toBe(true);
    expect(readFileSync(join(path, "file"), "utf8")).toBe("kept\n");
    await world.client.delete(PersistentVolumeClaim, { namespace: "default", name: "claim" });
    await eventually(() => existsSync(path)).toBe(false);
    await eventually(async () => (await world.client.list(PersistentVolume)).items).toEqual([]);
    const mounts = (await world.client.list(Event, { namespace: "default" })).items.filter(({ reason }) => reason === "FailedMount");
    expect(mounts).toEqual([]);
  });

  test("of a claim that is being deleted are kept by who uses them, and given to nobody else", async () => {
    const key = { namespace: "default", name: "going" };
    const volumes = [{ name: "v", persistentVolumeClaim: { claimName: "going" } }];
    const script = "echo x >> /v/file; while [ ! -e /v/go ]; do sleep 0.02; done; exit $(($(wc -l < /v/file) < 2))";
    const containers = [shell(script, { volumeMounts: [{ name: "v", mountPath: "/v" }] })];
    await world.client.create(PersistentVolumeClaim, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: key, spec: {} });
    await world.client.create(Pod, podOn("a", { volumes, containers, restartPolicy: "OnFailure" }));
    await untilPhase(world.client, "a", "Running");
    const { volumeName = "" } = (await world.client.get(PersistentVolumeClaim, key)).spec;
    const { path = "" } = (await world.client.get(PersistentVolume, { name: volumeName })).spec.hostPath ?? {};
    await world.client.delete(PersistentVolumeClaim, key);
    await world.client.create(Pod, podOn("late", { volumes, containers }));
    const message = 'FailedMount: MountVolume.SetUp failed for volume "v" : persistentvolumeclaim "going" is being deleted';
    await eventually(async () =>
      (await world.client.list(Event, { namespace: "default" })).items.map((event) => `${event.reason}: ${event.message}`),
    ).toContain(message);
    await world.client.delete(Pod, { namespace: "default", name: "late" }, { gracePeriodSeconds: 0 });
    await world.restartNode();
    await eventually(() => existsSync(join(path, "file"))).toBe(true);
    writeFileSync(join(path, "go"), "");
    await untilPhase(world.client, "a", "Succeeded");
    expect(readFileSync(join(path, "file"), "utf8")).toBe("x\nx\n");
    await eventually(() => existsSync(path)).toBe(false);
  });

  test("of a claim that was bound before there were volumes are found again", async () => {
    const key = { namespace: "default", name: "old" };
    mkdirSync(join(home, "node/volumes/default/old"), { recursive: true });
    writeFileSync(join(home, "node/volumes/default/old/file"), "old data");
    const claim = await world.client.create(PersistentVolumeClaim, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: key,
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    });
    await world.client.update(PersistentVolumeClaim, { ...claim, status: { phase: "Bound" } }, { subresource: "status" });
    expect(await inVolume({ persistentVolumeClaim: { claimName: "old" } }, "cat /v/file")).toBe("old data");
  });

  test("of this machine that somebody has declared stay when their claim is gone", async () => {
    mkdirSync(join(home, "disk"));
    writeFileSync(join(home, "disk/file"), "declared");
    await world.client.create(PersistentVolume, {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "disk" },
      spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], storageClassName: "", local: { path: join(home, "disk") } },
    });
    await world.client.create(PersistentVolumeClaim, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { namespace: "default", name: "c" },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: "", resources: { requests: { storage: "1Mi" } } },
    });
    expect(await inVolume({ persistentVolumeClaim: { claimName: "c" } }, "cat /v/file")).toBe("declared");
    await world.client.delete(PersistentVolumeClaim, { namespace: "default", name: "c" });
    await eventually(async () => (await world.client.get(PersistentVolume, { name: "disk" })).status?.phase).toBe("Released");
    expect(existsSync(join(home, "disk/file"))).toBe(true);
  });

  test("of a claim that is not there yet are waited for", async () => {
    await world.client.create(
      Pod,
      podOn("a", {
        volumes: [{ name: "v", persistentVolumeClaim: { claimName: "late" } }],
        containers: [shell("true", { volumeMounts: [{ name: "v", mountPath: "/v" }] })],
      }),
    );
    const message = 'MountVolume.SetUp failed for volume "v" : persistentvolumeclaim "late" not found';
    await eventually(async () =>
      (await world.client.list(Event, { namespace: "default" })).items.map((event) => `${event.reason}: ${event.message}`),
    ).toContain(`FailedMount: ${message}`);
    await world.client.create(PersistentVolumeClaim, {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { namespace: "default", name: "late" },
      spec: {},
    });
    await untilPhase(world.client, "a", "Succeeded");
  });

  test("in memory, and in this pod only", async () => {
    const path = (await inVolume({ emptyDir: { medium: "Memory", sizeLimit: "1Mi" } }, "echo x > /v/x; cd /v; pwd -P")).trim();
    if (existsSync("/dev/shm")) expect(path).toMatch(/^\/dev\/shm\//);
    await eventually(() => existsSync(path)).toBe(false);
  });

  test("of this machine are checked", async () => {
    writeFileSync(join(home, "file"), "content");
    expect(await inVolume({ hostPath: { path: join(home, "file"), type: "File" } }, "cat /v")).toBe("content");
    await world.client.create(
      Pod,
      podOn("b", { volumes: [{ name: "v", hostPath: { path: join(home, "file"), type: "Directory" } }], containers: [shell("true")] }),
    );
    const message = `FailedMount: MountVolume.SetUp failed for volume "v" : hostPath type check failed: ${join(home, "file")} is not a directory`;
    await eventually(async () =>
      (await world.client.list(Event, { namespace: "default" })).items.map((event) => `${event.reason}: ${event.message}`),
    ).toContain(message);
    expect(await inVolumeAgain({ hostPath: { path: join(home, "made"), type: "DirectoryOrCreate" } })).toBe(true);
  });

  const inVolumeAgain = async (volume: Omit<Volume, "name">): Promise<boolean> => {
    await world.client.delete(Pod, { namespace: "default", name: "a" });
    await inVolume(volume, "echo x > /v/x");
    return statSync(join(home, "made/x")).isFile();
  };

  test("show a part of themselves, and nothing outside", async () => {
    const looked = await inVolume({ emptyDir: {} }, "cd /v; ls -ld . .. | cut -c 1-10; pwd -P", { subPathExpr: "$(SUB)/deep" });
    // As open as the volume itself.
    expect(looked).toMatch(/^drwxrwxrwx\ndrwxrwxrwx\n.*volumes\/v\/expanded\/deep\n$/);
    mkdirSync(join(home, "host"));
    symlinkSync("/etc", join(home, "host/out"));
    for (const [name, subPath] of [
      ["b", "out"],
      ["c", "out/new"],
    ] as const) {
      await world.client.create(
        Pod,
        podOn(name, {
          volumes: [{ name: "v", hostPath: { path: join(home, "host") } }],
          containers: [shell("true", { volumeMounts: [{ name: "v", mountPath: "/v", subPath }] })],
        }),
      );
      await eventually(
        async () => (await world.client.get(Pod, { namespace: "default", name })).status?.containerStatuses?.[0]?.state?.waiting,
      ).toEqual({ reason: "CreateContainerConfigError", message: `subPath "${subPath}" leads out of its volume` });
    }
  });
});

test("a payload always becomes what is asked for", () => {
  const path = fc.constantFrom("a", "b", "d/a", "d/b", "d/e/f");
  const payload = fc.dictionary(path, fc.record({ content: fc.string().map((text) => Buffer.from(text)), mode: fc.constantFrom(0o644, 0o400) }));
  let runs = 0;
  fc.assert(
    fc.property(fc.array(payload, { minLength: 1, maxLength: 5 }), (payloads) => {
      const directory = join(home, `payload-${runs++}`);
      for (const wanted of payloads) {
        writePayload(directory, new Map(Object.entries(wanted)));
        for (const one of ["a", "b", "d/a", "d/b", "d/e/f"]) {
          expect(existsSync(join(directory, one))).toBe(one in wanted);
          if (one in wanted) expect(readFileSync(join(directory, one))).toEqual(wanted[one]?.content);
          if (one in wanted) expect(statSync(join(directory, one)).mode & 0o777).toBe(wanted[one]?.mode);
        }
      }
    }),
    { numRuns: 60 },
  );
  expect(() => writePayload(join(home, "bad"), new Map([["../x", { content: Buffer.from(""), mode: 0o644 }]]))).toThrow("must lie in its volume");
});
