import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Node, Pod } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logOf, NODE, openWorld, podOn, shell, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

let directory: string;
let world: World;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-node-"));
  world = await openWorld({ directory });
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

describe("a node", () => {
  test("registers itself, with what it can do", async () => {
    const node = await world.client.get(Node, { name: NODE });
    expect(node.status?.capacity).toMatchObject({ cpu: expect.any(String), memory: expect.stringMatching(/Ki$/), pods: "110" });
    expect(node.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({ status: "True", reason: "KubeletReady" });
    expect(node.status?.conditions?.find(({ type }) => type === "node.sluice.dev/Isolation")).toMatchObject({
      status: "False",
      message: expect.stringContaining("These are tests."),
    });
  });

  test("runs a pod to its end", async () => {
    await world.client.create(Pod, podOn("a", { containers: [shell("echo hello; exit 3")] }));
    const pod = await untilPhase(world.client, "a", "Failed");
    expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 3, reason: "Error", containerID: expect.stringMatching(/^process:/) });
    expect(await logOf(world, "a")).toBe("hello\n");
  });

  test("runs init containers, then sidecars, then the others", async () => {
    await world.client.create(
      Pod,
      podOn("a", {
        volumes: [{ name: "v", emptyDir: {} }],
        initContainers: [
          shell("echo init >> /v/order", { name: "init", volumeMounts: [{ name: "v", mountPath: "/v" }] }),
          shell('trap "echo stopped >> /v/order; cat /v/order; exit 0" TERM; echo sidecar >> /v/order; while :; do sleep 0.05; done', {
            name: "sidecar",
            restartPolicy: "Always",
            volumeMounts: [{ name: "v", mountPath: "/v" }],
          }),
        ],
        containers: [shell("sleep 0.2; echo main >> /v/order", { volumeMounts: [{ name: "v", mountPath: "/v" }] })],
      }),
    );
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(statusOf(pod, "sidecar").state?.terminated).toMatchObject({ exitCode: 0 });
    expect(await logOf(world, "a", { container: "sidecar" })).toBe("init\nsidecar\nmain\nstopped\n");
    expect(pod.status?.conditions?.find(({ type }) => type === "Ready")).toMatchObject({ status: "False", reason: "PodCompleted" });
  });

  test("runs many pods at once, and then rests", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `p${i}`);
    await Promise.all(names.map((name) => world.client.create(Pod, podOn(name, { containers: [shell("true")] }))));
    for (const name of names) await untilPhase(world.client, name, "Succeeded");
    await world.stopNode();
    const versions = async (): Promise<unknown> => (await world.client.list(Pod)).items.map(({ metadata }) => metadata.resourceVersion);
    const before = await versions();
    await world.restartNode();
    await Promise.all(names.map((name) => logOf(world, name)));
    expect(await versions()).toEqual(before);
  });

  test("ends a pod that is deleted", async () => {
    await world.client.create(Pod, podOn("a", { containers: [shell('trap "exit 0" TERM; echo up; while :; do sleep 0.05; done')] }));
    await untilPhase(world.client, "a", "Running");
    await world.client.delete(Pod, { namespace: "default", name: "a" });
    await untilPod(world.client, "a", (pod) => pod === undefined);
  });
});
