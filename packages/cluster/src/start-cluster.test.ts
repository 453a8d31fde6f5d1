import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { createClient, createHttpsTransport, loadKubeconfig, type ClusterAccess } from "@sluice/client";
import { systemClock, type Clock } from "@sluice/controller";
import {
  ClusterRole,
  ConfigMap,
  PersistentVolumeClaim,
  ServiceAccount,
  StorageClass,
  type AuthenticationTokenRequest,
  type SubjectAccessReview,
  type TokenReview,
} from "@sluice/kubernetes";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { startCluster, type Cluster } from "./start-cluster.ts";

const ADMIN = { username: "root", groups: ["system:masters"] };
const key = { namespace: "default", name: "a" };
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-start-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** What somebody with other credentials than the kubeconfig's is answered. */
async function withAccess<T>(
  cluster: Cluster,
  change: (access: ClusterAccess) => ClusterAccess,
  act: (client: ReturnType<typeof createClient>) => Promise<T>,
): Promise<T> {
  using transport = createHttpsTransport(change(await loadKubeconfig(cluster.kubeconfigPath)));
  return act(createClient(transport));
}
const unchanged = (access: ClusterAccess): ClusterAccess => access;
const withToken =
  (token: string) =>
  ({ clientCertificate: _certificate, clientKey: _key, ...access }: ClusterAccess): ClusterAccess => ({ ...access, token: async () => token });

test("keeps its objects, its keys and its tokens over a restart", async () => {
  let token: string;
  let files: string[];
  const read = (): Promise<string[]> =>
    Promise.all(["ca.crt", "apiserver.crt", "admin.crt", "service-account.key"].map((name) => readFile(join(directory, "pki", name), "utf8")));
  {
    await using cluster = await startCluster({ directory, mode: "api-server" });
    const client = cluster.client(ADMIN);
    await client.create(ConfigMap, { apiVersion: "v1", kind: "ConfigMap", metadata: key, data: { x: "1" } });
    await client.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata: key });
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} };
    token =
      (await client.request<AuthenticationTokenRequest>({ method: "POST", path: "/api/v1/namespaces/default/serviceaccounts/a/token", body })).status
        ?.token ?? "";
    files = await read();
  }
  await using cluster = await startCluster({ directory, mode: "api-server" });
  expect(await read()).toEqual(files);
  expect((await stat(cluster.kubeconfigPath)).mode & 0o777).toBe(0o600);
  expect((await withAccess(cluster, unchanged, (client) => client.get(ConfigMap, key))).data).toEqual({ x: "1" });
  await expect(withAccess(cluster, withToken(token), (client) => client.get(ConfigMap, key))).rejects.toThrow(
    'User "system:serviceaccount:default:a" cannot get resource',
  );
});

test("gives the roles of an older version what they lack, and leaves alone what is marked so", async () => {
  const rule = { apiGroups: ["x.io"], resources: ["y"], verbs: ["get"] };
  {
    await using cluster = await startCluster({ directory });
    const client = cluster.client(ADMIN);
    for (const name of ["system:node", "system:auth-delegator"])
      await client.patch(ClusterRole, { name }, { type: "merge", body: { rules: [rule] } });
    await client.patch(
      ClusterRole,
      { name: "system:auth-delegator" },
      { type: "merge", body: { metadata: { annotations: { "rbac.authorization.k8s.io/autoupdate": "false" } } } },
    );
  }
  await using cluster = await startCluster({ directory });
  const { rules = [] } = await cluster.client(ADMIN).get(ClusterRole, { name: "system:node" });
  expect([rules[0], rules.length > 5]).toEqual([rule, true]);
  expect((await cluster.client(ADMIN).get(ClusterRole, { name: "system:auth-delegator" })).rules).toEqual([rule]);
});

test("renews certificates that are about to expire while it runs", async () => {
  let shift = 0;
  let isDayOver = Promise.withResolvers<void>();
  const day = 24 * 60 * 60 * 1000;
  const clock: Clock = {
    now: () => Date.now() + shift,
    sleep: (ms, signal) =>
      Promise.race([
        ms === day ? isDayOver.promise : systemClock.sleep(ms, signal),
        new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
      ]),
  };
  await using cluster = await startCluster({ directory, clock });
  const { port } = new URL(cluster.url);
  const presented = async (): Promise<string> => {
    const socket = connect({ port: Number(port), host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const [first, kubeconfig] = [await presented(), await readFile(cluster.kubeconfigPath, "utf8")];
  shift = 310 * day;
  const over = isDayOver;
  isDayOver = Promise.withResolvers();
  over.resolve();
  await vi.waitUntil(async () => (await readFile(cluster.kubeconfigPath, "utf8")) !== kubeconfig, { timeout: 5000 });
  expect(await presented()).not.toBe(first);
});

test("has a default storage class where something makes volumes", async () => {
  await using bare = await startCluster({ mode: "api-server" });
  expect((await bare.client(ADMIN).list(StorageClass)).items).toEqual([]);
  await using whole = await startCluster({ mode: "control-plane" });
  const client = whole.client(ADMIN);
  expect((await client.list(StorageClass)).items).toMatchObject([{ metadata: { name: "standard" }, provisioner: "sluice.dev/directory" }]);
  const metadata = { namespace: "default", name: "c" };
  const claim = await client.create(PersistentVolumeClaim, { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: {} });
  expect(claim.spec.storageClassName).toBe("standard");
});

test("refuses a port that is taken, and leaves nothing running", async () => {
  await using first = await startCluster({ mode: "api-server" });
  await expect(startCluster({ mode: "api-server", apiPort: Number(new URL(first.url).port) })).rejects.toMatchObject({
    name: "UserError",
    message: expect.stringContaining("EADDRINUSE"),
  });
});

test("ends the watches of those who are connected when it stops", async () => {
  const cluster = await startCluster({ mode: "api-server" });
  await withAccess(cluster, unchanged, async (client) => {
    const seen: string[] = [];
    for await (const event of client.watch(ConfigMap, { namespace: "default", sendInitialEvents: true, allowWatchBookmarks: true })) {
      seen.push(event.type);
      await cluster[Symbol.asyncDispose]();
    }
    expect(seen).toEqual(["BOOKMARK"]);
  });
});

describe("credentials", () => {
  test("a certificate of another authority, or of this one for servers, is no credential", async () => {
    await using cluster = await startCluster({ directory, mode: "api-server" });
    await using other = await startCluster({ mode: "api-server" });
    const foreign = await loadKubeconfig(other.kubeconfigPath);
    const { clientCertificate = "", clientKey = "" } = foreign;
    const [certificate, serverKey] = await Promise.all(
      ["apiserver.crt", "apiserver.key"].map((name) => readFile(join(directory, "pki", name), "utf8")),
    );
    const list = (client: ReturnType<typeof createClient>): Promise<unknown> => client.list(ConfigMap);
    await expect(withAccess(cluster, (access) => ({ ...access, clientCertificate, clientKey }), list)).rejects.toMatchObject({
      reason: "Unauthorized",
    });
    await expect(
      withAccess(cluster, (access) => ({ ...access, clientCertificate: certificate ?? "", clientKey: serverKey ?? "" }), list),
    ).rejects.toMatchObject({ reason: "Unauthorized" });
  });

  test("a connection that resumes a session is still known", async () => {
    await using cluster = await startCluster({ mode: "api-server" });
    const access = await loadKubeconfig(cluster.kubeconfigPath);
    using transport = createHttpsTransport(access);
    const client = createClient(transport);
    // More requests at once than there are connections: the later ones resume the session of the first.
    await client.list(ConfigMap);
    const lists = await Promise.all(Array.from({ length: 8 }, () => client.list(ConfigMap)));
    expect(lists.length).toBe(8);
  });

  test("a server that the authority does not know is not talked to", async () => {
    await using cluster = await startCluster({ mode: "api-server" });
    await using other = await startCluster({ mode: "api-server" });
    const { certificateAuthority = "" } = await loadKubeconfig(other.kubeconfigPath);
    await expect(
      withAccess(
        cluster,
        (access) => ({ ...access, certificateAuthority }),
        (client) => client.list(ConfigMap),
      ),
    ).rejects.toThrow(/cannot reach/);
  });
});

describe("reviews", () => {
  test.each<[string, string, string, object, object]>([
    [
      "a token that is none",
      "/apis/authentication.k8s.io/v1/tokenreviews",
      "TokenReview",
      { token: "x" },
      { status: { error: expect.stringMatching(/^\[invalid bearer token, /) } },
    ],
    [
      "what somebody may",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      "SubjectAccessReview",
      { user: "a", groups: ["system:masters"], resourceAttributes: { verb: "get", resource: "pods" } },
      { status: { allowed: true } },
    ],
    [
      "what nobody may",
      "/apis/authorization.k8s.io/v1/subjectaccessreviews",
      "SubjectAccessReview",
      { user: "a", resourceAttributes: { verb: "get", resource: "pods" } },
      { status: { allowed: false } },
    ],
    [
      "what somebody may in a namespace",
      "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews",
      "LocalSubjectAccessReview",
      { user: "a", resourceAttributes: { namespace: "default", verb: "get", resource: "pods" } },
      { status: { allowed: false } },
    ],
    [
      "a path",
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      "SelfSubjectAccessReview",
      { nonResourceAttributes: { verb: "get", path: "/x" } },
      { status: { allowed: true } },
    ],
    [
      "all one's rules",
      "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
      "SelfSubjectRulesReview",
      { namespace: "default" },
      { status: { incomplete: false, resourceRules: expect.arrayContaining([{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }]) } },
    ],
  ])("answer about %s", async (_, path, kind, spec, expected) => {
    await using cluster = await startCluster({ mode: "api-server" });
    const body = { apiVersion: path.split("/").slice(2, 4).join("/"), kind, spec };
    expect(await cluster.client(ADMIN).request({ method: "POST", path, body })).toMatchObject({ kind, ...expected });
  });

  test.each<[string, string, string, object, RegExp]>([
    [
      "nothing",
      "subjectaccessreviews",
      "SubjectAccessReview",
      { user: "a" },
      /exactly one of nonResourceAttributes or resourceAttributes must be specified/,
    ],
    [
      "nobody",
      "subjectaccessreviews",
      "SubjectAccessReview",
      { resourceAttributes: {} },
      /spec.user: Required value: at least one of user or group must be specified/,
    ],
    [
      "another namespace",
      "namespaces/default/localsubjectaccessreviews",
      "LocalSubjectAccessReview",
      { user: "a", resourceAttributes: { namespace: "b" } },
      /must match metadata.namespace/,
    ],
    ["no namespace", "selfsubjectrulesreviews", "SelfSubjectRulesReview", {}, /no namespace on request/],
    ["another kind", "subjectaccessreviews", "TokenReview", {}, /must be of type SubjectAccessReview/],
  ])("refuse to judge %s", async (_, path, kind, spec, message) => {
    await using cluster = await startCluster({ mode: "api-server" });
    const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
    await expect(
      cluster.client(ADMIN).request<SubjectAccessReview>({ method: "POST", path: `/apis/authorization.k8s.io/v1/${path}`, body }),
    ).rejects.toThrow(message);
  });

  test("a token is asked for, reviewed and bound", async () => {
    await using cluster = await startCluster({ mode: "api-server" });
    const client = cluster.client(ADMIN);
    await client.create(ServiceAccount, { apiVersion: "v1", kind: "ServiceAccount", metadata: key });
    const ask = (spec: object): Promise<AuthenticationTokenRequest> =>
      client.request({
        method: "POST",
        path: "/api/v1/namespaces/default/serviceaccounts/a/token",
        body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec },
      });
    const { status, spec } = await ask({ audiences: ["pipelines.kubeflow.org"], expirationSeconds: 900 });
    expect([spec.audiences, spec.expirationSeconds, status?.expirationTimestamp]).toEqual([
      ["pipelines.kubeflow.org"],
      900,
      expect.stringMatching(/Z$/),
    ]);
    const review = (audiences?: string[]): Promise<TokenReview> =>
      client.request({
        method: "POST",
        path: "/apis/authentication.k8s.io/v1/tokenreviews",
        body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: status?.token, audiences } },
      });
    expect((await review(["pipelines.kubeflow.org", "x"])).status).toMatchObject({
      authenticated: true,
      audiences: ["pipelines.kubeflow.org"],
      user: { username: "system:serviceaccount:default:a" },
    });
    expect((await review()).status?.authenticated).toBeUndefined();
    await expect(ask({ expirationSeconds: 60 })).rejects.toThrow("may not specify a duration less than 10 minutes");
    await expect(ask({ boundObjectRef: { kind: "Pod", name: "nosuch" } })).rejects.toThrow('pods "nosuch" not found');
    await expect(ask({ boundObjectRef: { kind: "Job", name: "x" } })).rejects.toThrow("Unsupported value");
  });
});
