import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "@sluice/controller";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Event, Node, Pod, Secret, ServiceAccount, type Container, type PodSpec } from "@sluice/kubernetes";
import { eventually } from "./eventually.fixture.ts";
import { buildImage, layoutOf, PLATFORM, tarOf, type ImagePlan, type TarEntry } from "./images/oci/image.fixture.ts";
import { openImageLibrary } from "./images/oci/image-library.ts";
import { ImageStore } from "./images/oci/image-store.ts";
import { loadArchive } from "./images/oci/load-archive.ts";
import { OciImages } from "./images/oci/oci-images.ts";
import { Puller } from "./images/oci/pull-image.ts";
import { openRegistry } from "./images/oci/registry.fixture.ts";
import { openImages } from "./images/open-images.ts";
import { rootedCommand } from "./sandbox/oci/rooted-command.ts";
import { finish, openTrial, type Trial } from "./sandbox/trial.fixture.ts";
import { logOf, openWorld, podOn, statusOf, untilPhase, untilPod, type World } from "./world.fixture.ts";

const BUSYBOX = "/bin/busybox";
const PROGRAMS = ["cat", "env", "grep", "hostname", "id", "ls", "mount", "ps", "pwd", "sh", "sleep", "tail", "test", "touch", "wget"];

let home: string;
let trial: Trial;
let store: ImageStore;
let world: World;

beforeEach(async () => {
  expect(existsSync(BUSYBOX), "apt-get install busybox-static").toBe(true);
  home = mkdtempSync(join(tmpdir(), "sluice-oci-"));
  store = new ImageStore(join(home, "images"));
  await load("team/box:1", {});
  await open();
});
afterEach(async () => {
  await world.clear();
  await world[Symbol.asyncDispose]();
  await trial[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
  expect(world.errors).toEqual([]);
});

async function open(): Promise<void> {
  trial = await openTrial({ directory: join(home, "sandboxes"), hidden: [home] });
  expect(trial.sandboxes.features.images, "apt-get install crun").toBe("crun");
  const images = await openImages({
    directory: join(home, "profiles"),
    environment: {},
    isolate: (process) => trial.sandboxes.isolate(process),
    oci: new OciImages(store, new Puller({ store, platform: PLATFORM, clock: systemClock })),
  });
  world = await openWorld({ directory: join(home, "node"), database: join(home, "store.db"), sandboxes: trial.sandboxes, images });
}

function boxLayer(): readonly TarEntry[] {
  return [
    { name: "bin/busybox", content: readFileSync(BUSYBOX), mode: 0o755 },
    ...PROGRAMS.map((program) => ({ name: `bin/${program}`, type: "symlink" as const, linkname: "busybox" })),
  ];
}

async function load(name: string, { layers = [], ...plan }: Partial<ImagePlan>): Promise<void> {
  const image = await buildImage({ layers: [boxLayer(), ...layers], ...plan });
  const path = join(home, "image.tar");
  writeFileSync(path, await tarOf(layoutOf(image, name)));
  await loadArchive(store, path, { platform: PLATFORM });
}

function box(script: string, more: Partial<Container> = {}): Container {
  return { name: "main", image: "team/box:1", command: ["sh", "-c", script], ...more };
}

async function create(container: Container, spec: Partial<PodSpec> = {}): Promise<void> {
  await world.client.create(Pod, podOn("a", { containers: [container], ...spec }));
}

async function run(
  container: Container,
  { phase = "Succeeded", ...spec }: Partial<PodSpec> & { readonly phase?: string } = {},
): Promise<{ readonly pod: Pod; readonly log: string }> {
  await create(container, spec);
  const pod = await untilPhase(world.client, "a", phase);
  return { pod, log: await logOf(world, "a") };
}

const untilLog = (words: string): Promise<void> => eventually(() => logOf(world, "a")).toContain(words);

test("an image is a volume, which shows its files and takes none", async () => {
  await load("team/model:1", {
    layers: [
      [
        { name: "models/config.json", content: "{}" },
        { name: "models/weights", content: "0.5" },
      ],
    ],
  });
  const volumes = [{ name: "model", image: { reference: "team/model:1" } }];
  const volumeMounts = [
    { name: "model", mountPath: "/oci/model" },
    { name: "model", mountPath: "/part", subPath: "models" },
  ];
  const { log } = await run(box("cat /oci/model/models/weights; ls /part; touch /part/new 2>/dev/null || echo refused", { volumeMounts }), {
    volumes,
  });
  expect(log.trim().split("\n")).toEqual(["0.5config.json", "weights", "refused"]);
});

test("a container runs from an image that was loaded, in a root of its own, as what it says", async () => {
  await load("team/app:2", {
    layers: [
      [
        { name: "etc/passwd", content: "root:x:0:0::/root:/bin/sh\napp:x:1234:77::/home/app:/bin/sh\n" },
        { name: "work/file", content: "of the image", uid: 1234 },
        { name: "run-me", content: '#!/bin/sh\necho "$0 $*"; id -u; id -g; pwd; env; touch file && ls -ln file', mode: 0o755 },
      ],
    ],
    config: { Entrypoint: ["/run-me"], Cmd: ["a", "b c"], Env: ["A=image", "B=image"], WorkingDir: "/work", User: "app" },
  });
  const { pod, log } = await run({
    name: "main",
    image: "team/app:2",
    args: ["$(C)"],
    env: [
      { name: "B", value: "pod" },
      { name: "C", value: "x y" },
    ],
  });
  const lines = log.split("\n");
  expect(lines.slice(0, 4)).toEqual(["/run-me x y", "1234", "77", "/work"]);
  for (const line of ["A=image", "B=pod", "HOME=/home/app", expect.stringMatching(/^PATH=.*:\/bin$/), "KUBERNETES_SERVICE_HOST=127.0.0.1"])
    expect(lines).toContainEqual(line);
  expect(log).not.toContain("SLUICE");
  expect(log).toMatch(/1234 +0 +\d+ .* file$/m);
  expect(statusOf(pod)).toMatchObject({
    image: "team/app:2",
    imageID: store.find("team/app:2")?.name.replace(/:2$/, `@${store.find("team/app:2")?.digest}`),
  });
  const root = store.rootOf(store.find("team/app:2")?.manifest ?? "");
  expect(readFileSync(join(root, "work/file"), "utf8")).toBe("of the image");
  await eventually(async () => (await world.client.list(Event, { namespace: "default" })).items.map(({ message }) => message)).toContain(
    'Container image "team/app:2" already present on machine',
  );
  const { items: nodes } = await world.client.list(Node);
  expect(nodes[0]?.status?.images?.flatMap(({ names }) => names)).toContain("docker.io/team/box:1");
});

test("it has namespaces, mounts and devices of a container, and no more rights", async () => {
  const script =
    "hostname; cat /etc/hostname; cat /etc/hosts; ps; grep Cap /proc/self/status; mount; ls /dev; cat /proc/kcore; echo 1 > /proc/sys/vm/swappiness; touch /sys/x; ls -A /sys/fs/cgroup; echo x > /dev/shm/x";
  const { log } = await run(box(script), { hostname: "me" });
  expect(log).toMatch(/^me\nme\n127\.0\.0\.1\tlocalhost/);
  expect(log).toMatch(/10\.\d+\.\d+\.\d+\tme/);
  expect(log).toMatch(/^ +1 0 +sh/m);
  expect(log).toMatch(/CapBnd:\t00000000a00425fb/);
  expect(log).toMatch(/^overlay on \/ type overlay \(rw,/m);
  expect(log).not.toContain(" sda");
  expect(log).toMatch(/swappiness: Read-only file system/);
  expect(log).toContain("touch: /sys/x: Read-only file system");
});

test("one static program runs as another user, who can write only to volumes, and reads its token and secrets", async () => {
  const image = await buildImage({
    layers: [[{ name: "busybox", content: readFileSync(BUSYBOX), mode: 0o755 }]],
    config: { Entrypoint: ["/busybox"], User: "65532:65532" },
  });
  const path = join(home, "static.tar");
  writeFileSync(path, await tarOf(layoutOf(image)));
  await loadArchive(store, path, { name: "controller:dev", platform: PLATFORM });
  await world.client.create(Secret, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "default", name: "s" },
    data: { key: btoa("secret words") },
  });
  const script =
    "set -x; /busybox id; /busybox touch /x; /busybox touch /data/x && /busybox ls -ln /data; /busybox cat /certs/key; /busybox cat /var/run/secrets/x/namespace; /busybox grep -E 'NoNew|CapBnd|Seccomp:' /proc/self/status; echo bye > /dev/termination-log";
  const { pod, log } = await run(
    {
      name: "main",
      image: "controller:dev",
      imagePullPolicy: "IfNotPresent",
      args: ["sh", "-c", script],
      securityContext: {
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      },
      volumeMounts: [
        { name: "data", mountPath: "/data" },
        { name: "certs", mountPath: "/certs", readOnly: true },
        { name: "me", mountPath: "/var/run/secrets/x" },
      ],
    },
    {
      securityContext: { supplementalGroups: [7] },
      volumes: [
        { name: "data", emptyDir: {} },
        { name: "certs", secret: { secretName: "s" } },
        { name: "me", downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
      ],
    },
  );
  expect(log).toContain("uid=65532 gid=65532 groups=7");
  expect(log).toContain("touch: /x: Read-only file system");
  expect(log).toMatch(/65532 +65532 +0 .* x$/m);
  expect(log).toContain("secret words");
  expect(log).toMatch(/^NoNewPrivs:\t1$/m);
  expect(log).toMatch(/^CapBnd:\t0{16}$/m);
  expect(log).toMatch(/^Seccomp:\t2$/m);
  expect(statusOf(pod).state?.terminated?.message).toBe("bye\n");
});

test("a user that the image does not name, or that must not be root, is refused as the kubelet does", async () => {
  await create(box("true", { securityContext: { runAsNonRoot: true } }));
  const pod = await untilPod(
    world.client,
    "a",
    (one) => one?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "CreateContainerConfigError",
  );
  expect(statusOf(pod).state?.waiting?.message).toBe("container has runAsNonRoot and image will run as root");
});

test("exit codes are the container's; a program that is not there cannot run", async () => {
  const { pod } = await run(box("exit 7"), { phase: "Failed" });
  expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 7, reason: "Error" });
  await world.clear();
  const { pod: missing } = await run({ name: "main", image: "team/box:1", command: ["/no/such"] }, { phase: "Failed" });
  expect(statusOf(missing).state?.terminated).toMatchObject({
    exitCode: 128,
    reason: "ContainerCannotRun",
    message: expect.stringContaining("/no/such"),
  });
});

test("each start has a root of its own", async () => {
  await create(box("ls /; touch /here; exit 1"), { restartPolicy: "OnFailure" });
  await untilPod(world.client, "a", (one) => (one?.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 2);
  expect(await logOf(world, "a")).not.toContain("here");
});

test("memory above the limit kills it, and is told", async () => {
  const { pod } = await run(box("tail /dev/zero", { resources: { limits: { memory: "64Mi" } } }), { phase: "Failed" });
  expect(statusOf(pod).state?.terminated).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
});

test("probes and hooks run in it, with its rights; what takes too long is killed", async () => {
  const handler = "test $(id -u) = 1000 && grep -q 1000 /proc/self/status && test -e /data/started && test -e /data/begun";
  await create(
    box("touch /data/started; trap 'cat /data/stopped; exit 0' TERM; echo up; while :; do sleep 0.1; done", {
      securityContext: { runAsUser: 1000 },
      readinessProbe: { exec: { command: ["sh", "-c", handler] }, periodSeconds: 1 },
      livenessProbe: { exec: { command: ["sh", "-c", "sleep 12345"] }, timeoutSeconds: 1, periodSeconds: 1, failureThreshold: 100 },
      lifecycle: {
        postStart: { exec: { command: ["sh", "-c", "echo begun > /data/begun"] } },
        preStop: { exec: { command: ["sh", "-c", "echo stopping > /data/stopped"] } },
      },
      volumeMounts: [{ name: "data", mountPath: "/data" }],
    }),
    { volumes: [{ name: "data", emptyDir: {} }], terminationGracePeriodSeconds: 20 },
  );
  await untilPod(world.client, "a", (one) => one?.status?.containerStatuses?.[0]?.ready === true);
  await eventually(async () => (await world.client.list(Event, { namespace: "default" })).items.map(({ message }) => message)).toContain(
    "Liveness probe failed: command timed out",
  );
  expect(processesNamed("sleep 12345").length).toBeLessThanOrEqual(1);
  await world.client.delete(Pod, { namespace: "default", name: "a" });
  await untilPod(world.client, "a", (one) => one === undefined, 30_000);
  expect(processesNamed("sleep 12345")).toEqual([]);
});

test("it is asked to stop by the signal that its image names, and killed if it does not", async () => {
  await load("team/stop:1", { config: { StopSignal: "SIGUSR1" } });
  await create(
    { ...box("trap 'echo usr1; exit 3' USR1; echo up; while :; do sleep 0.1; done"), image: "team/stop:1" },
    { terminationGracePeriodSeconds: 30 },
  );
  await untilLog("up");
  const following = world.node.log({ namespace: "default", name: "a" }, { follow: true });
  await world.client.delete(Pod, { namespace: "default", name: "a" });
  let text = "";
  for await (const chunk of await following) text += Buffer.from(chunk).toString();
  expect(text).toContain("usr1");
  await untilPod(world.client, "a", (one) => one === undefined);

  await create(box("trap '' TERM; echo up; sleep 54321 & while :; do sleep 0.1; done"), { terminationGracePeriodSeconds: 1 });
  await untilLog("up");
  await world.client.delete(Pod, { namespace: "default", name: "a" });
  await untilPod(world.client, "a", (one) => one === undefined);
  expect(processesNamed("sleep 54321")).toEqual([]);
});

test("it goes on though the node is killed, whose next life finds it, runs commands in it, and learns its exit code", async () => {
  await world.stopNode();
  await create(
    box("echo up; touch /data/up; while ! test -e /data/go; do sleep 0.1; done; echo over; exit 5", {
      volumeMounts: [{ name: "data", mountPath: "/data" }],
      readinessProbe: { exec: { command: ["test", "-e", "/data/ready"] }, periodSeconds: 1 },
    }),
    { volumes: [{ name: "data", hostPath: { path: home } }] },
  );
  await world[Symbol.asyncDispose]();
  await trial.sandboxes[Symbol.asyncDispose]();
  const node = spawn(process.execPath, [fileURLToPath(new URL("./oci-crash.fixture.ts", import.meta.url)), home], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exit = once(node, "exit");
  await eventually(() => existsSync(join(home, "up")), 60_000).toBe(true);
  node.kill("SIGKILL");
  await exit;

  await open();
  writeFileSync(join(home, "ready"), "");
  await untilPod(world.client, "a", (one) => one?.status?.containerStatuses?.[0]?.ready === true);
  writeFileSync(join(home, "go"), "");
  const pod = await untilPhase(world.client, "a", "Failed");
  expect(statusOf(pod)).toMatchObject({ restartCount: 0, state: { terminated: { exitCode: 5, reason: "Error" } } });
  expect(await logOf(world, "a")).toBe("up\nover\n");
});

test("an image is pulled with the secrets of its pod and of its service account, and tried again until it can be", async () => {
  await using registry = await openRegistry({ kind: "bearer", username: "me", password: "secret" });
  const image = `${registry.host}/team/app:1`;
  registry.push("team/app", "1", await buildImage({ layers: [boxLayer()], config: { Cmd: ["sh", "-c", "echo pulled"] } }));
  await create({ name: "main", image });
  const waiting = await untilPod(world.client, "a", (one) => one?.status?.containerStatuses?.[0]?.state?.waiting?.reason === "ImagePullBackOff");
  expect(statusOf(waiting).state?.waiting?.message).toMatch(/^Back-off pulling image "127.*": failed to pull image .*pull access denied/);

  const auths = { [registry.host]: { auth: btoa("me:secret") } };
  const data = { ".dockerconfigjson": btoa(JSON.stringify({ auths })) };
  await world.client.create(Secret, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace: "default", name: "login" },
    type: "kubernetes.io/dockerconfigjson",
    data,
  });
  const account = await world.client.get(ServiceAccount, { namespace: "default", name: "default" });
  await world.client.update(ServiceAccount, { ...account, imagePullSecrets: [{ name: "login" }] });
  const pod = await untilPhase(world.client, "a", "Succeeded");
  expect(await logOf(world, "a")).toBe("pulled\n");
  expect(statusOf(pod).imageID).toMatch(/^127\.0\.0\.1:\d+\/team\/app@sha256:/);
});

test("without crun a container runs on a copy, by bubblewrap in a user namespace", async () => {
  const root = store.rootOf(store.find("team/box:1")?.manifest ?? "");
  const container = join(home, "container");
  mkdirSync(container);
  const context = { podUid: "uid", hostname: "me", directory: home, mounts: [], view: [], hidden: [], enterNetwork: [], discard: () => {} };
  const user = { uid: 65532, gid: 65532, groups: [], home: "/nowhere" };
  const rights = { capabilities: [], mayGainPrivileges: false, isPrivileged: false, isFiltered: false };
  const volume = { source: home, target: "/data", readOnly: false };
  const script = "id -u; hostname; pwd; echo $HOME $A; touch /x 2>&1; test -e /data/images && ps";
  const command = rootedCommand(
    context,
    {
      process: {
        ...{ container: "main", argv: ["sh", "-c", script], env: { PATH: "/bin", A: "b" }, limits: {}, mounts: [volume], workingDirectory: "/work" },
      },
      root: { directory: root, user, readOnly: true, ...rights },
      home: container,
    },
    { kind: "bubblewrap", program: "bwrap" },
  );
  const { code, output } = await finish(command);
  expect({ code, output }).toEqual({
    code: 0,
    output: expect.stringMatching(/^65532\nme\n\/work\n\/nowhere b\ntouch: \/x: Read-only file system\nPID/),
  });
  expect(existsSync(join(root, "data"))).toBe(false);
});

test("an image that a container runs from is in use", async () => {
  const library = openImageLibrary(join(home, "images"));
  await create(box("echo up; sleep 1000"));
  await untilLog("up");
  await expect(library.remove("team/box:1")).rejects.toThrow("image docker.io/team/box:1 is in use by a container that runs");
  await world.clear();
  expect(await library.remove("team/box:1")).toBe("docker.io/team/box:1");
});

/** The processes of this machine that run a command. */
function processesNamed(words: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim() === words;
    } catch {
      return false; // It has just ended.
    }
  });
}
