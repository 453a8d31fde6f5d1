import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "@sluice/component";
import { ConfigMap, Event, Pod, Secret, type EnvVar } from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { eventually } from "./eventually.fixture.ts";
import { ImageError } from "./images/images.ts";
import { logOf, openWorld, plainImages, podOn, shell, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

let home: string;
let world: World;
let isImageThere: boolean;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "sluice-containers-"));
  isImageThere = false;
  world = await openWorld({
    directory: join(home, "node"),
    programs: [program],
    images: {
      ...plainImages,
      resolve: async (request) => {
        if (!request.image.startsWith("late")) return plainImages.resolve(request);
        if (!isImageThere) throw new ImageError("ErrImagePull", "it is not there yet");
        request.progress("installing it");
        return plainImages.resolve({ ...request, image: "busybox" });
      },
    },
  });
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

const key = { namespace: "default", name: "a" };
const create = (spec: Parameters<typeof podOn>[1], metadata?: Parameters<typeof podOn>[2]): Promise<Pod> =>
  world.client.create(Pod, podOn("a", spec, metadata));
const eventsOf = async (name = "a"): Promise<string[]> => {
  const { items } = await world.client.list(Event, { namespace: "default", fieldSelector: `involvedObject.name=${name}` });
  return items.map(({ reason, message }) => `${reason}: ${message}`);
};

/** A program that says where its files lie, and stops when asked. */
const program: Program = {
  image: "test/program",
  async run({ args, env, hostPath, signal, log }) {
    log(`started with ${args.join(" ")}`);
    if (args[0] === "throw") throw new Error("it went wrong");
    if (args[0] === "escape") log(hostPath("/data/../../etc/passwd"));
    if (args[0] === "wait")
      await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
    if (args[0] === "write" || args[0] === "wait") writeFileSync(hostPath(`/data/${env["FILE"]}`), "from the program");
    return args[0] === "fail" ? 5 : 0;
  },
};

describe("restarts", () => {
  test("a container that fails is restarted until it succeeds, if its pod says so", async () => {
    await create({
      restartPolicy: "OnFailure",
      containers: [shell(`echo x >> ${home}/runs; echo run $(wc -l < ${home}/runs); [ $(wc -l < ${home}/runs) = 3 ]`)],
    });
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(statusOf(pod)).toMatchObject({ restartCount: 2, lastState: { terminated: { exitCode: 1 } }, state: { terminated: { exitCode: 0 } } });
    expect(await logOf(world, "a")).toBe("run 3\n");
    expect(await logOf(world, "a", { previous: true })).toBe("run 2\n");
    await vi.waitFor(async () =>
      expect(await eventsOf()).toContainEqual(expect.stringMatching(/^BackOff: Back-off restarting failed container main in pod a_default/)),
    );
  });

  test("waits in CrashLoopBackOff, with the log of the last run", async () => {
    await create({ restartPolicy: "Always", containers: [shell("echo crashed; exit 1")] });
    const pod = await untilPod(
      world.client,
      "a",
      (one) => (one?.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1 && statusOf(one).state?.waiting?.reason === "CrashLoopBackOff",
    );
    expect(pod?.status?.phase).toBe("Running");
    expect(await logOf(world, "a")).toBe("crashed\n");
  });

  test("a sidecar that dies is restarted, and does not keep its pod", async () => {
    await create({ initContainers: [shell("sleep 0.1", { name: "side", restartPolicy: "Always" })], containers: [shell("sleep 1")] });
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(statusOf(pod, "side").restartCount).toBeGreaterThanOrEqual(1);
  });
});

describe("ends", () => {
  test.each([
    ["by a signal", "kill -9 $$$$", { exitCode: 137, reason: "Error" }],
    ["with last words", "echo famous > /dev/termination-log; exit 2", { exitCode: 2, reason: "Error", message: "famous\n" }],
    ["with its log for last words", "echo one; echo two; exit 1", { exitCode: 1, message: "one\ntwo\n" }],
    ["well, without last words", "echo one", { exitCode: 0, reason: "Completed" }],
  ])("%s", async (_, script, expected) => {
    await create({ containers: [shell(script, { terminationMessagePolicy: "FallbackToLogsOnError" })] });
    const pod = await untilPod(world.client, "a", (one) => one?.status?.phase === "Succeeded" || one?.status?.phase === "Failed");
    expect(statusOf(pod).state?.terminated).toMatchObject(expected);
  });

  test("before they begin, if the command does not exist", async () => {
    await create({ containers: [{ name: "main", image: "busybox", command: ["no-such-command"] }] });
    const pod = await untilPhase(world.client, "a", "Failed");
    expect(statusOf(pod).state?.terminated).toMatchObject({
      exitCode: 127,
      reason: "ContainerCannotRun",
      message: expect.stringContaining("no-such-command: not found"),
    });
  });

  test("with everything that they have started", async () => {
    await create({ containers: [shell(`(sleep 0.5; touch ${home}/late) & echo $!`)] });
    await untilPhase(world.client, "a", "Succeeded");
    const pid = Number(await logOf(world, "a"));
    await eventually(() => isRunning(pid)).toBe(false);
  });

  test("by force, if they do not end when asked", async () => {
    await create({ terminationGracePeriodSeconds: 1, containers: [shell('trap "" TERM; echo up; while :; do sleep 0.05; done')] });
    await untilPhase(world.client, "a", "Running");
    const start = Date.now();
    await world.client.delete(Pod, key);
    await untilPod(world.client, "a", (pod) => pod === undefined);
    expect(Date.now() - start).toBeGreaterThan(900);
    await vi.waitFor(async () => expect(await eventsOf()).toContain("Killing: Stopping container main"));
  });

  test("after their preStop hook", async () => {
    const preStop = { exec: { command: ["sh", "-c", `echo hook >> ${home}/order`] } };
    await create({
      containers: [shell(`trap "echo term >> ${home}/order; exit 0" TERM; echo up; while :; do sleep 0.05; done`, { lifecycle: { preStop } })],
    });
    await untilPhase(world.client, "a", "Running");
    await world.client.delete(Pod, key);
    await untilPod(world.client, "a", (pod) => pod === undefined);
    expect(readFileSync(join(home, "order"), "utf8")).toBe("hook\nterm\n");
  });

  test("when their pod's time is up", async () => {
    await create({ activeDeadlineSeconds: 1, terminationGracePeriodSeconds: 1, containers: [shell("while :; do sleep 0.05; done")] });
    const pod = await untilPhase(world.client, "a", "Failed");
    expect(pod.status).toMatchObject({ reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
    await vi.waitFor(async () =>
      expect(await eventsOf()).toContain("DeadlineExceeded: Pod was active on the node longer than the specified deadline"),
    );
  });

  test("at once, if their pod is deleted without grace", async () => {
    await create({ containers: [shell("echo $$$$; while :; do sleep 0.05; done")] });
    await untilPhase(world.client, "a", "Running");
    await eventually(() => logOf(world, "a")).toMatch(/^\d+\n/);
    const pid = Number(await logOf(world, "a"));
    await world.client.delete(Pod, key, { gracePeriodSeconds: 0 });
    await eventually(() => isRunning(pid)).toBe(false);
  });
});

/** A zombie runs no more: it only waits for whoever adopted it to look at it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

describe("environment", () => {
  const print = (...env: EnvVar[]): Parameters<typeof shell>[1] => ({ command: ["env"], env });
  const environment = async (): Promise<Record<string, string>> => {
    await untilPhase(world.client, "a", "Succeeded");
    return Object.fromEntries(
      (await logOf(world, "a")).split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  };

  test("has its order, its references and its cluster", async () => {
    await world.client.create(ConfigMap, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "c" },
      data: { one: "1", "dotted.name": "d" },
    });
    await world.client.create(Secret, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "s" },
      data: { two: Buffer.from("2").toString("base64") },
    });
    await create(
      {
        containers: [
          {
            ...shell(
              "",
              print(
                { name: "A", value: "a" },
                { name: "B", value: "$(A)-$$(A)-$(NONE)-$(P_one)-$(C)" },
                { name: "C", value: "late" },
                { name: "UID_", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } },
                { name: "LABEL", valueFrom: { fieldRef: { fieldPath: "metadata.labels['x/y']" } } },
                { name: "CPU", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
                { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
                { name: "TWO", valueFrom: { secretKeyRef: { name: "s", key: "two" } } },
                { name: "OPTIONAL", valueFrom: { configMapKeyRef: { name: "none", key: "k", optional: true } } },
                { name: "dashed-name", value: "x y" },
              ),
            ),
            envFrom: [{ prefix: "P_", configMapRef: { name: "c" } }, { configMapRef: { name: "none", optional: true } }],
            resources: { limits: { cpu: "1500m", memory: "64Mi" } },
            args: [],
          },
        ],
      },
      { labels: { "x/y": "z" } },
    );
    const env = await environment();
    expect(env).toMatchObject({
      ...{
        A: "a",
        B: "a-$(A)-$(NONE)-1-$(C)",
        C: "late",
        LABEL: "z",
        CPU: "1500",
        MEMORY: "64",
        TWO: "2",
        P_one: "1",
        "P_dotted.name": "d",
        "dashed-name": "x y",
      },
      ...{ HOSTNAME: "a", KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: "6443" },
    });
    expect(env["UID_"]).toBe((await world.client.get(Pod, key)).metadata.uid);
    expect(env).not.toHaveProperty("OPTIONAL");
  });

  test("expands in commands, too", async () => {
    await create({
      containers: [{ name: "main", image: "busybox", command: ["echo"], args: ["$(X)", "$$(X)", "$(Y)"], env: [{ name: "X", value: "x" }] }],
    });
    await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe("x $(X) $(Y)\n");
  });

  test("waits for what it refers to, and goes on when that appears", async () => {
    await create({ containers: [shell("echo $X", { env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "c", key: "k" } } }] })] });
    const waiting = (message: string) =>
      untilPod(world.client, "a", (pod) => pod?.status?.containerStatuses?.[0]?.state?.waiting?.message === message);
    expect(statusOf(await waiting('configmap "c" not found')).state?.waiting?.reason).toBe("CreateContainerConfigError");
    await expect(logOf(world, "a")).rejects.toMatchObject({
      reason: "BadRequest",
      message: 'container "main" in pod "a" is waiting to start: CreateContainerConfigError',
    });
    const configMap = await world.client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name: "c" } });
    await waiting("couldn't find key k in ConfigMap default/c");
    await world.client.update(ConfigMap, { ...configMap, data: { k: "there" } });
    await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe("there\n");
    await vi.waitFor(async () => expect(await eventsOf()).toContain('Failed: Error: configmap "c" not found'));
  });
});

describe("images", () => {
  test("that cannot be pulled are tried again, and say what they are", async () => {
    await create({ containers: [shell("echo up", { image: "late:1" })] });
    const waiting = await untilPod(world.client, "a", (pod) => pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "ErrImagePull");
    expect(statusOf(waiting).state?.waiting?.message).toBe("it is not there yet");
    await expect(logOf(world, "a")).rejects.toMatchObject({
      message: 'container "main" in pod "a" is waiting to start: trying and failing to pull image',
    });
    isImageThere = true;
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(statusOf(pod).imageID).toBe("profile://busybox");
    expect(pod.metadata.annotations).toMatchObject({ "image-profile.node.sluice.dev/main": "busybox" });
    await vi.waitFor(async () =>
      expect(await eventsOf()).toEqual(
        expect.arrayContaining([
          'Failed: Failed to pull image "late:1": it is not there yet',
          "Pulling: installing it",
          'Pulled: Image "late:1" runs as profile busybox: this machine\'s own programs',
          "Created: Created container: main",
          "Started: Started container main",
        ]),
      ),
    );
  });
});

describe("programs of this process", () => {
  const volume = { volumes: [{ name: "data", emptyDir: {} }] };
  const mounted = { volumeMounts: [{ name: "data", mountPath: "/data" }] };

  test("run as containers: before the others, and beside them until they end", async () => {
    await create({
      ...volume,
      initContainers: [
        { name: "fetch", image: "test/program:v1", args: ["write"], env: [{ name: "FILE", value: "in" }], ...mounted },
        { name: "publish", image: "test/program", args: ["wait"], env: [{ name: "FILE", value: "out" }], restartPolicy: "Always", ...mounted },
      ],
      containers: [shell("cat /data/in; [ ! -e /data/out ]", mounted)],
    });
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(await logOf(world, "a")).toBe("from the program");
    expect(await logOf(world, "a", { container: "publish" })).toBe("started with wait\n");
    expect(statusOf(pod, "publish").state?.terminated).toMatchObject({ exitCode: 0, containerID: expect.stringMatching(/^program:/) });
  });

  test("fail visibly", async () => {
    await create({
      ...volume,
      initContainers: [{ name: "fetch", image: "test/program", args: ["throw"], ...mounted }],
      containers: [shell("true", mounted)],
    });
    const pod = await untilPhase(world.client, "a", "Failed");
    expect(statusOf(pod, "fetch").state?.terminated).toMatchObject({ exitCode: 1, reason: "Error" });
    expect(statusOf(pod).state?.waiting?.reason).toBe("PodInitializing");
    expect(await logOf(world, "a", { container: "fetch" })).toBe("started with throw\nit went wrong\n");
  });

  test("do not leave their volumes", async () => {
    await create({ ...volume, containers: [{ name: "main", image: "test/program", args: ["escape"], ...mounted }] });
    await untilPhase(world.client, "a", "Failed");
    expect(await logOf(world, "a")).toBe("started with escape\n/data/../../etc/passwd lies in no volume of the container\n");
  });

  test("are run again by the next node, unless they had ended", async () => {
    await create({
      ...volume,
      initContainers: [
        { name: "fetch", image: "test/program", args: ["write"], env: [{ name: "FILE", value: "in" }], ...mounted },
        { name: "publish", image: "test/program", args: ["wait"], env: [{ name: "FILE", value: "out" }], restartPolicy: "Always", ...mounted },
      ],
      containers: [shell(`while ! [ -e ${home}/go ]; do sleep 0.05; done`, mounted)],
    });
    await untilPhase(world.client, "a", "Running");
    await world.restartNode();
    writeFileSync(join(home, "go"), "");
    const pod = await untilPhase(world.client, "a", "Succeeded");
    expect(statusOf(pod, "publish")).toMatchObject({ restartCount: 0, state: { terminated: { exitCode: 0 } } });
    expect(await logOf(world, "a", { container: "publish" })).toBe("started with wait\nstarted with wait\n");
    expect(await logOf(world, "a", { container: "fetch" })).toBe("started with write\n");
  });
});

describe("probes", () => {
  test("make a container ready, and take that back", async () => {
    await create({
      containers: [
        shell("while :; do sleep 0.05; done", {
          readinessProbe: { exec: { command: ["sh", "-c", `[ -e ${home}/ready ]`] }, periodSeconds: 1, failureThreshold: 1 },
        }),
      ],
    });
    const pod = await untilPhase(world.client, "a", "Running");
    expect(statusOf(pod)).toMatchObject({ ready: false, started: true });
    writeFileSync(join(home, "ready"), "");
    await untilPod(world.client, "a", (one) => statusOf(one).ready);
    rmSync(join(home, "ready"));
    await untilPod(world.client, "a", (one) => !statusOf(one).ready);
    await vi.waitFor(async () => expect(await eventsOf()).toContainEqual(expect.stringMatching(/^Unhealthy: Readiness probe failed/)));
  });

  test("restart a container that is not alive", async () => {
    await create({
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 1,
      containers: [shell("while :; do sleep 0.05; done", { livenessProbe: { exec: { command: ["false"] }, periodSeconds: 1, failureThreshold: 1 } })],
    });
    const pod = await untilPod(world.client, "a", (one) => (one?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0);
    expect(statusOf(pod).restartCount).toBe(1);
    await vi.waitFor(async () => expect(await eventsOf()).toContain("Killing: Container main failed liveness probe, will be restarted"));
  });

  test("over HTTP and TCP; the startup probe holds back the others", async () => {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      requests.push(request.url ?? "");
      response.writeHead(request.url === "/started" && requests.length < 2 ? 500 : 200).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await create({
      containers: [
        shell("while :; do sleep 0.05; done", {
          ports: [{ name: "http", containerPort: port }],
          startupProbe: { httpGet: { path: "/started", port: "http" }, periodSeconds: 1 },
          readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
        }),
      ],
    });
    const pod = await untilPod(world.client, "a", (one) => one?.status?.containerStatuses?.[0]?.ready === true);
    expect(statusOf(pod).started).toBe(true);
    expect(requests).toEqual(["/started", "/started"]);
    server.close();
  });
});

test("two pods cannot have one port of this machine", async () => {
  const ports = [{ containerPort: 80, hostPort: 18080 }];
  const sleeper = shell("while :; do sleep 0.05; done", { ports });
  await world.client.create(Pod, podOn("first", { containers: [sleeper] }));
  await untilPhase(world.client, "first", "Running");
  await create({ containers: [sleeper] });
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(pod.status).toMatchObject({ reason: "NodePorts", message: "Pod was rejected: another pod on this machine has port 18080/TCP" });
  await world.client.create(Pod, podOn("third", { containers: [shell("true", { ports: [{ containerPort: 80 }] })] }));
  await untilPhase(world.client, "third", "Succeeded");
});
