import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock } from "@sluice/controller";
import { Event, Pod, Service } from "@sluice/kubernetes";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { logOf, openWorld, podOn, shell, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

let home: string;
let world: World;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sluice-contract-"));
  world = await openWorld({ directory: join(home, "node"), clock });
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

const HEARTBEAT_MS = 10_000;
/** The machine's clock, but for a node whose heart beats fast. */
const clock: Clock = { now: () => Date.now(), sleep: (ms, signal) => systemClock.sleep(ms === HEARTBEAT_MS ? 100 : ms, signal) };

const create = (spec: Parameters<typeof podOn>[1]): Promise<Pod> => world.client.create(Pod, podOn("a", spec));
const untilEvent = (expected: RegExp): Promise<void> =>
  vi.waitFor(async () => {
    const { items } = await world.client.list(Event, { namespace: "default", fieldSelector: "involvedObject.name=a" });
    expect(items.map(({ reason, message }) => `${reason}: ${message}`)).toContainEqual(expect.stringMatching(expected));
  });
const FOREVER = "while :; do sleep 0.05; done";

test("a pod whose empty directory holds more than it may is evicted", async () => {
  await create({
    terminationGracePeriodSeconds: 1,
    volumes: [{ name: "v", emptyDir: { sizeLimit: "64Ki" } }],
    containers: [shell(`head -c 200000 /dev/zero > /v/x; ${FOREVER}`, { volumeMounts: [{ name: "v", mountPath: "/v" }] })],
  });
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(pod.status).toMatchObject({ reason: "Evicted", message: 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". ' });
  await untilEvent(/^Evicted: Usage of EmptyDir/u);
});

test("last words end after 4096 bytes", async () => {
  await create({ containers: [shell("head -c 5000 /dev/zero | tr '\\0' x > /dev/termination-log")] });
  const pod = await untilPhase(world.client, "a", "Succeeded");
  expect(statusOf(pod).state?.terminated?.message).toBe("x".repeat(4096));
});

test("a probe's own grace period counts for the container that it gives up", async () => {
  const livenessProbe = {
    exec: { command: ["sh", "-c", `[ ! -e ${home}/up ]`] },
    periodSeconds: 1,
    failureThreshold: 1,
    terminationGracePeriodSeconds: 1,
  };
  await create({
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 600,
    containers: [shell(`trap '' TERM; touch ${home}/up; ${FOREVER}`, { livenessProbe })],
  });
  const pod = await untilPod(world.client, "a", (one) => (one?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0);
  expect(statusOf(pod).lastState?.terminated).toMatchObject({ exitCode: 137 });
});

test("a container whose postStart hook fails is ended", async () => {
  await create({ terminationGracePeriodSeconds: 1, containers: [shell(FOREVER, { lifecycle: { postStart: { exec: { command: ["false"] } } } })] });
  await untilPhase(world.client, "a", "Failed");
  await untilEvent(/^FailedPostStartHook: PostStartHook failed/u);
});

test("a preStop hook that sleeps holds back the end", async () => {
  await create({ containers: [shell(`trap 'date +%s%N; exit 0' TERM; echo up; ${FOREVER}`, { lifecycle: { preStop: { sleep: { seconds: 1 } } } })] });
  await untilPhase(world.client, "a", "Running");
  await vi.waitFor(async () => expect(await logOf(world, "a")).toBe("up\n"));
  const asked = Date.now();
  await world.client.delete(Pod, { namespace: "default", name: "a" });
  await untilPod(world.client, "a", (pod) => pod === undefined);
  expect(Date.now() - asked).toBeGreaterThan(990);
});

test("a gRPC probe makes a container ready", async () => {
  await using server = createServer();
  server.on("stream", (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await create({ containers: [shell(FOREVER, { readinessProbe: { grpc: { port }, periodSeconds: 1 } })] });
  await untilPod(world.client, "a", (one) => one?.status?.containerStatuses?.[0]?.ready === true);
});

test("a status says which generation it is about, and what quality of service the pod has", async () => {
  const resources = { requests: { cpu: "100m", memory: "10Mi" }, limits: { cpu: "100m", memory: "10Mi" } };
  await create({ containers: [shell("true", { resources })] });
  const { metadata, status } = await untilPhase(world.client, "a", "Succeeded");
  expect(status).toMatchObject({ observedGeneration: metadata.generation, qosClass: "Guaranteed" });
  const ours = (status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  expect(ours.map(({ observedGeneration }) => observedGeneration)).toEqual(ours.map(() => metadata.generation));
});

test.each([
  [true, "10.96.0.77\n80\n"],
  [false, "none\n"],
])("services are in the environment: %s", async (enableServiceLinks, expected) => {
  await world.client.create(Service, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: "default", name: "my-web" },
    spec: { clusterIP: "10.96.0.77", ports: [{ port: 80 }] },
  });
  await create({
    enableServiceLinks,
    containers: [shell("printenv MY_WEB_SERVICE_HOST MY_WEB_SERVICE_PORT || echo none; test $KUBERNETES_SERVICE_PORT = 6443")],
  });
  await untilPhase(world.client, "a", "Succeeded");
  expect(await logOf(world, "a")).toBe(expected);
});
