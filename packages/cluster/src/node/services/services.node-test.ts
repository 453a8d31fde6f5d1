import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@sluice/client";
import { EndpointSlice, Namespace, Pod, Service, type PodSpec, type ServiceSpec } from "@sluice/kubernetes";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCluster, type Cluster } from "../../start-cluster.ts";
import { eventually } from "../eventually.fixture.ts";
import { buildImage, layoutOf, tarOf } from "../images/oci/image.fixture.ts";
import { openImageLibrary } from "../images/oci/image-library.ts";
import { untilPod } from "../world.fixture.ts";
import { PYTHON_RENDEZVOUS, RENDEZVOUS, rendezvous, SHELL_RENDEZVOUS } from "./rendezvous.fixture.ts";
import { runProgram } from "../sandbox/run-program.ts";

let directory: string;
let cluster: Cluster;
let client: Client;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-services-"));
  cluster = await startCluster({ directory, environment: { PATH: process.env["PATH"] } });
  client = cluster.client({ username: "admin", groups: ["system:masters"] });
});
afterAll(async () => {
  for (const { metadata } of (await client.list(Pod)).items) await client.delete(Pod, metadata, { gracePeriodSeconds: 0 });
  await vi.waitFor(async () => expect((await client.list(Pod)).items).toEqual([]), { timeout: 15_000 });
  await cluster[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const namespace = "default";
const at = (name: string): { namespace: string; name: string } => ({ namespace, name });
const python = (code: string): string[] => ["/usr/bin/python3", "-u", "-c", code];
/** Says its name to who connects or sends. */
const SERVER = `
import socket, threading
name = socket.gethostname()
def tcp():
  server = socket.create_server(("", 8080))
  while True:
    connection, (peer, _) = server.accept()
    connection.sendall(f"{name} {peer}".encode())
    connection.close()
def udp():
  server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  server.bind(("", 8080))
  while True:
    _, peer = server.recvfrom(99)
    server.sendto(name.encode(), peer)
threading.Thread(target=udp).start()
tcp()
`;

async function run(name: string, spec: Partial<PodSpec>, labels: Record<string, string> = {}): Promise<Pod> {
  await client.create(Pod, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...at(name), labels },
    spec: { restartPolicy: "Never", containers: [], terminationGracePeriodSeconds: 0, ...spec },
  });
  const pod = await untilPod(client, name, (one) => one?.status?.phase !== "Pending" && one?.status?.podIP !== undefined);
  if (pod === undefined) throw new Error(`pod ${name} is gone`);
  return pod;
}
const serverPod = (name: string, labels: Record<string, string>): Promise<Pod> =>
  run(name, { containers: [{ name: "main", image: "busybox", command: python(SERVER) }] }, labels);
const serve = (name: string, spec: Partial<ServiceSpec> = {}): Promise<Service> =>
  client.create(Service, {
    apiVersion: "v1",
    kind: "Service",
    metadata: at(name),
    spec: {
      selector: { app: name },
      ports: [
        { name: "tcp", port: 80, targetPort: 8080 },
        { name: "udp", port: 80, protocol: "UDP", targetPort: 8080 },
      ],
      ...spec,
    },
  });
const untilReady = (name: string, count: number): Promise<void> =>
  eventually(async () => {
    const { items } = await client.list(EndpointSlice, { labelSelector: `kubernetes.io/service-name=${name}` });
    return items.flatMap(({ endpoints }) => endpoints).filter(({ conditions }) => conditions?.ready === true).length;
  }).toBe(count) as Promise<void>;
/** What a command says in a pod of its own. */
async function output(command: string[], spec: Partial<PodSpec> = {}, labels: Record<string, string> = {}): Promise<string> {
  const name = `client-${randomUUID().slice(0, 8)}`;
  await run(name, { containers: [{ name: "main", image: "busybox", command }], ...spec }, labels);
  await untilPod(client, name, (pod) => pod?.status?.phase === "Succeeded" || pod?.status?.phase === "Failed");
  let text = "";
  for await (const chunk of client.log(at(name))) text += Buffer.from(chunk).toString();
  return text.trim();
}
const dial = (host: string, port: number, times = 1): string[] =>
  python(`
import socket, time
start = time.time()
for _ in range(${times}):
  try:
    print(socket.create_connection((${JSON.stringify(host)}, ${port}), 5).recv(99).decode())
  except OSError as error:
    print(type(error).__name__, time.time() - start < 2)
`);

describe("a service's address", () => {
  test("leads to one of its ready pods, from pods by name and from this machine, and keeps who is calling", async () => {
    const [a, b] = await Promise.all([serverPod("a", { app: "web" }), serverPod("b", { app: "web" })]);
    const service = await serve("web", { clusterIP: `10.96.${200 + Math.floor(Math.random() * 50)}.${1 + Math.floor(Math.random() * 250)}` });
    await untilReady("web", 2);
    const lines = (await output(dial("web", 80, 40))).split("\n");
    expect(new Set(lines.map((line) => line.split(" ")[0]))).toEqual(new Set(["a", "b"]));
    const callers = new Set(lines.map((line) => line.split(" ")[1]));
    expect(callers.size).toBe(1);
    expect([...callers][0]?.split(".").slice(0, 2)).toEqual(a.status?.podIP?.split(".").slice(0, 2));
    const udp =
      'import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(5)\ns.connect(("web.default.svc.cluster.local", 80))\ns.send(b"?")\nprint(s.recv(9).decode())';
    expect(["a", "b"]).toContain(await output(python(udp)));
    const [program = "", ...args] = dial(service.spec.clusterIP ?? "", 80);
    expect((await runProgram([program, ...args])).stdout).toMatch(/^[ab] /u);
    expect(b.status?.podIP).not.toBe(a.status?.podIP);
  });

  test("lets a pod reach itself", async () => {
    await serve("self");
    const code = `${SERVER.replace(/\ntcp\(\)\n$/u, "\nthreading.Thread(target=tcp, daemon=True).start()\n")}
import time, os
for _ in range(200):
  try:
    print(socket.create_connection(("self", 80), 2).recv(99).decode().split()[0]); break
  except OSError:
    time.sleep(0.05)
os._exit(0)
`;
    expect(await output(python(code), { hostname: "me" }, { app: "self" })).toBe("me");
  });

  test("refuses at once where nobody is", async () => {
    await serve("empty");
    expect(await output(dial("empty", 80))).toBe("ConnectionRefusedError True");
    expect(await output(dial("empty", 81))).toBe("ConnectionRefusedError True");
  });

  test("leads a client to where it was before, if it is to", async () => {
    await Promise.all([serverPod("s1", { app: "sticky" }), serverPod("s2", { app: "sticky" }), serverPod("s3", { app: "sticky" })]);
    await serve("sticky", { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } });
    await untilReady("sticky", 3);
    const lines = (await output(dial("sticky", 80, 20))).split("\n");
    expect(new Set(lines).size).toBe(1);
  });
});

test("a node port leads there from this machine, and is gone with its service", async () => {
  await serverPod("n", { app: "node" });
  const service = await serve("node", { type: "NodePort" });
  await untilReady("node", 1);
  const port = service.spec.ports?.[0]?.nodePort ?? 0;
  const ask = async (): Promise<string> => {
    const [program = "", ...args] = dial("127.0.0.1", port);
    return (await runProgram([program, ...args])).stdout;
  };
  await eventually(ask).toMatch(/^n /u);
  await client.delete(Service, at("node"));
  await eventually(ask).toContain("ConnectionRefusedError");
});

test("the API is there by name, and its certificate says so", async () => {
  const code = `
import os, ssl, urllib.request
base = "/var/run/secrets/kubernetes.io/serviceaccount"
token = open(base + "/token").read()
context = ssl.create_default_context(cafile=base + "/ca.crt")
for host in ["kubernetes.default.svc", "kubernetes.default:443", os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]]:
  request = urllib.request.Request(f"https://{host}/version", headers={"Authorization": "Bearer " + token})
  print(urllib.request.urlopen(request, context=context).status)
`;
  expect(await output(python(code))).toBe("200\n200\n200");
});

test("two jobs that use one port at once find their own peers, and each other's, by name", async () => {
  expect(await rendezvous(client, { image: "busybox", command: python(PYTHON_RENDEZVOUS) }, namespace)).toEqual(RENDEZVOUS);
});

test("so do jobs of an image that was made from nothing", async () => {
  const applets = ["sh", "nc", "sleep"].map((name) => ({ name: `bin/${name}`, type: "symlink" as const, linkname: "busybox" }));
  const layer = [{ name: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 }, ...applets];
  const archive = join(directory, "image.tar");
  writeFileSync(archive, await tarOf(layoutOf(await buildImage({ layers: [layer] }), "example.com/team/box:1")));
  await openImageLibrary(join(directory, "images")).load(archive);
  await client.create(Namespace, { apiVersion: "v1", kind: "Namespace", metadata: { name: "images" } });
  const container = { image: "example.com/team/box:1", command: ["sh", "-c", SHELL_RENDEZVOUS] };
  expect(await rendezvous(client, container, "images")).toEqual(RENDEZVOUS);
});
