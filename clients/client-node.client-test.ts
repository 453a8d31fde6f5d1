import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import {
  ApiException,
  AppsV1Api,
  Attach,
  CoreV1Api,
  Cp,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  Log,
  PatchStrategy,
  PortForward,
  setHeaderOptions,
  Watch,
  makeInformer,
  type V1ConfigMap,
  type V1Pod,
  type V1Status,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const run = promisify(execFile);
const config = new KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(CoreV1Api);
const namespace = `test-${randomUUID().slice(0, 8)}`;
const until = { timeout: 60_000, interval: 50 };

const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

function configMap(name: string, data: Record<string, string> = {}): V1ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { made: "here" } }, data };
}

/** A pod of one container that is ready. */
async function startPod(name: string, image: string, command: string[], extra: Partial<V1Pod["spec"]> = {}): Promise<void> {
  const spec = { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image, command, stdin: true }], ...extra };
  await core.createNamespacedPod({ namespace, body: { metadata: { name }, spec } });
  await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPod({ namespace, name });
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: "Ready", status: "True" }));
  }, until);
}

/** What a command writes in a pod. */
async function output(pod: string, command: string[]): Promise<string> {
  const stdout = new Sink();
  const ended = Promise.withResolvers<V1Status>();
  await new Exec(config).exec(namespace, pod, "main", command, stdout, null, null, false, ended.resolve);
  await ended.promise;
  return stdout.seen;
}

/** Collects what is written to it. */
class Sink extends Writable {
  seen = "";
  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.seen += chunk.toString();
    done();
  }
}

beforeAll(async () => {
  await core.createNamespace({ body: { metadata: { name: namespace } } });
  await vi.waitFor(() => core.readNamespacedServiceAccount({ namespace, name: "default" }), until);
});

afterAll(async () => {
  await core.deleteNamespace({ name: namespace });
});

test("objects", async () => {
  const created = await core.createNamespacedConfigMap({ namespace, body: configMap("c", { a: "1" }) });
  expect(created.metadata?.creationTimestamp).toBeInstanceOf(Date);
  await expect(core.createNamespacedConfigMap({ namespace, body: configMap("c") })).rejects.toMatchObject({ code: 409 });
  const replaced = await core.replaceNamespacedConfigMap({ namespace, name: "c", body: { ...created, data: { a: "2" } } });
  expect(replaced.data).toEqual({ a: "2" });
  await expect(core.replaceNamespacedConfigMap({ namespace, name: "c", body: created })).rejects.toBeInstanceOf(ApiException);
  const patched = await core.patchNamespacedConfigMap({ namespace, name: "c", body: { data: { b: "3" } } }, MERGE);
  expect(patched.data).toEqual({ a: "2", b: "3" });
  const operations = [{ op: "remove", path: "/data/a" }];
  expect((await core.patchNamespacedConfigMap({ namespace, name: "c", body: operations })).data).toEqual({ b: "3" });
  expect((await core.listNamespacedConfigMap({ namespace, labelSelector: "made=here" })).items).toHaveLength(1);
  await core.deleteNamespacedConfigMap({ namespace, name: "c" });
  await expect(core.readNamespacedConfigMap({ namespace, name: "c" })).rejects.toMatchObject({ code: 404 });
});

test("objects of any kind are applied", async () => {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const apply = (replicas: number, manager: string, force = false): Promise<unknown> => {
    const labels = { app: "web" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "main", image: "busybox", command: ["sleep", "600"] }] } };
    const spec = { replicas, selector: { matchLabels: labels }, template };
    const body = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace }, spec };
    return objects.patch(body, undefined, undefined, manager, force, PatchStrategy.ServerSideApply);
  };
  await apply(0, "first");
  await expect(apply(1, "second")).rejects.toMatchObject({ code: 409 });
  await apply(1, "second", true);
  const apps = config.makeApiClient(AppsV1Api);
  await vi.waitFor(async () => expect((await apps.readNamespacedDeployment({ namespace, name: "web" })).status?.availableReplicas).toBe(1), until);
  await objects.delete({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace } });
  await expect(objects.read({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace } })).rejects.toMatchObject({
    code: 404,
  });
});

test("watch", async () => {
  const { metadata } = await core.listNamespacedConfigMap({ namespace });
  const heard: string[] = [];
  const query = { resourceVersion: metadata?.resourceVersion, labelSelector: "made=here" };
  const ended = Promise.withResolvers<unknown>();
  const watching = await new Watch(config).watch(
    `/api/v1/namespaces/${namespace}/configmaps`,
    query,
    (phase, { metadata: { name } }: { metadata: { name: string } }) => heard.push(`${phase} ${name}`),
    ended.resolve,
  );
  await core.createNamespacedConfigMap({ namespace, body: configMap("w") });
  await core.deleteNamespacedConfigMap({ namespace, name: "w" });
  await vi.waitFor(() => expect(heard).toEqual(["ADDED w", "DELETED w"]), until);
  watching.abort();
  await ended.promise;
});

test("exec", async () => {
  await startPod("sleeper", "busybox", ["sleep", "600"]);
  const exec = new Exec(config);
  const [stdout, stderr, stdin] = [new Sink(), new Sink(), new PassThrough()];
  const ended = Promise.withResolvers<V1Status>();
  const script = "read line; echo got $line; echo bad >&2; cat | wc -c; exit 3";
  await exec.exec(namespace, "sleeper", "main", ["sh", "-c", script], stdout, stderr, stdin, false, ended.resolve);
  stdin.write("this\n");
  stdin.end("12345");
  const status = await ended.promise;
  expect(status).toMatchObject({ status: "Failure", reason: "NonZeroExitCode", details: { causes: [{ reason: "ExitCode", message: "3" }] } });
  expect([stdout.seen, stderr.seen]).toEqual(["got this\n5\n", "bad\n"]);
  await expect(exec.exec(namespace, "nobody", "main", ["true"], stdout, stderr, null, false)).rejects.toBeDefined();

  const terminal = Object.assign(new Sink(), { rows: 33, columns: 77 });
  const keyboard = new PassThrough();
  const left = Promise.withResolvers<V1Status>();
  await exec.exec(namespace, "sleeper", "main", ["sh"], terminal, null, keyboard, true, left.resolve);
  const sized = (rows: number, columns: number): string => `until [ "$(stty size)" = '${rows} ${columns}' ]; do :; done; echo sized=$((${rows}+1))\n`;
  keyboard.write(sized(33, 77));
  await vi.waitFor(() => expect(terminal.seen).toContain("sized=34"), until);
  Object.assign(terminal, { rows: 20, columns: 60 }).emit("resize");
  keyboard.write(sized(20, 60));
  await vi.waitFor(() => expect(terminal.seen).toContain("sized=21"), until);
  keyboard.write("exit\n");
  expect(await left.promise).toMatchObject({ status: "Success" });
});

test("attach", async () => {
  await startPod("echo", "busybox", ["sh", "-c", "while read line; do echo got $line; done"]);
  const [stdout, stdin] = [new Sink(), new PassThrough()];
  const socket = await new Attach(config).attach(namespace, "echo", "main", stdout, null, stdin, false);
  stdin.write("one\n");
  await vi.waitFor(() => expect(stdout.seen).toBe("got one\n"), until);
  socket.close();
});

test("port-forward", async () => {
  const script = "import http.server as h; h.ThreadingHTTPServer(('', 8080), h.SimpleHTTPRequestHandler).serve_forever()";
  const probed = {
    containers: [
      { name: "main", image: "python:3", command: ["python3", "-c", script], readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
    ],
  };
  await startPod("web", "python:3", [], probed);
  const [answer, input] = [new Sink(), new PassThrough()];
  const socket = await new PortForward(config).portForward(namespace, "web", [8080], answer, null, input);
  input.write("GET / HTTP/1.0\r\n\r\n");
  await vi.waitFor(() => expect(answer.seen).toContain("Directory listing"), until);
  expect(answer.seen).toMatch(/^HTTP\/1.0 200 OK/u);
  if (typeof socket !== "function") socket.close();
});

test("cp", async () => {
  await startPod("files", "busybox", ["sleep", "600"]);
  const directory = await mkdtemp(join(tmpdir(), "sluice-cp-"));
  try {
    await mkdir(join(directory, "there"));
    await writeFile(join(directory, "there/file"), "x".repeat(100_000));
    const copy = new Cp(config);
    await copy.cpToPod(namespace, "files", "main", join(directory, "there"), "/tmp");
    await vi.waitFor(async () => expect(await output("files", ["cat", "/tmp/file"])).toHaveLength(100_000), until);
    await mkdir(join(directory, "back"));
    await copy.cpFromPod(namespace, "files", "main", "file", join(directory, "back"), "/tmp");
    await vi.waitFor(async () => expect(await readFile(join(directory, "back/file"), "utf8")).toHaveLength(100_000), until);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("logs are followed to their end", async () => {
  const command = ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.2; done"];
  await core.createNamespacedPod({
    namespace,
    body: { metadata: { name: "logs" }, spec: { restartPolicy: "Never", containers: [{ name: "main", image: "busybox", command }] } },
  });
  await vi.waitFor(async () => {
    const { status } = await core.readNamespacedPod({ namespace, name: "logs" });
    expect(status?.containerStatuses?.[0]?.started).toBe(true);
  }, until);
  const lines = new PassThrough();
  await new Log(config).log(namespace, "logs", "main", lines, { follow: true });
  expect(await text(lines)).toBe("line 1\nline 2\nline 3\n");
});

test("an informer goes on over a restart of the server", async () => {
  const directory = await mkdtemp(join(tmpdir(), "sluice-informer-"));
  const sluice = (...words: string[]): Promise<unknown> =>
    run(process.execPath, [join(import.meta.dirname, "../packages/cli/bin/sluice.js"), ...words, "--data-dir", directory]);
  const up = (apiPort: string): Promise<unknown> => sluice("up", "--detach", "--port", "0", "--api-port", apiPort);
  await up("0");
  try {
    const own = new KubeConfig();
    own.loadFromFile(join(directory, "kubeconfig"));
    const port = new URL(own.getCurrentCluster()?.server ?? "").port;
    const maps = own.makeApiClient(CoreV1Api);
    const inDefault = { namespace: "default" };
    const informer = makeInformer<V1ConfigMap>(
      own,
      "/api/v1/namespaces/default/configmaps",
      () => maps.listNamespacedConfigMap({ ...inDefault, labelSelector: "made=here" }),
      "made=here",
    );
    const heard: string[] = [];
    for (const verb of ["add", "update", "delete"] as const) {
      informer.on(verb, ({ metadata, data }) => void heard.push(`${verb} ${metadata?.name} ${data?.["n"]}`));
    }
    let restarting = false;
    informer.on("error", () => {
      if (!restarting) setTimeout(() => void informer.start(), 100);
    });
    const create = (name: string): Promise<unknown> => maps.createNamespacedConfigMap({ ...inDefault, body: configMap(name, { n: "0" }) });
    const update = (name: string): Promise<unknown> => maps.patchNamespacedConfigMap({ ...inDefault, name, body: { data: { n: "1" } } }, MERGE);
    await informer.start();
    await create("a");
    await create("b");
    await update("a");
    const before = ["add a 0", "add b 0", "update a 1"];
    await vi.waitFor(() => expect(heard).toEqual(before), until);

    restarting = true;
    await sluice("down");
    await up(port);
    await update("b");
    await maps.deleteNamespacedConfigMap({ ...inDefault, name: "a" });
    await create("c");
    restarting = false;
    await informer.start();
    await vi.waitFor(() => expect(heard).toHaveLength(6), until);
    expect(heard.slice(0, 3)).toEqual(before);
    expect(heard.slice(3).toSorted()).toEqual(["add c 0", "delete a 1", "update b 1"]);
    await maps.deleteNamespacedConfigMap({ ...inDefault, name: "c" });
    await vi.waitFor(() => expect(heard.at(-1)).toBe("delete c 0"), until);
    expect(informer.list().map(({ metadata }) => metadata?.name)).toEqual(["b"]);
    await informer.stop();
  } finally {
    await sluice("down");
    await rm(directory, { recursive: true });
  }
});
