import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inClusterAccess, loadKubeconfig } from "./kubeconfig.ts";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-kubeconfig-"));
  path = join(directory, "config");
});
afterEach(() => rm(directory, { recursive: true }));

const data = (text: string): string => Buffer.from(text).toString("base64");
const write = (user: object, cluster: object = {}): Promise<void> =>
  writeFile(
    path,
    JSON.stringify({
      "current-context": "here",
      contexts: [
        { name: "here", context: { cluster: "c", user: "u", namespace: "team" } },
        { name: "lost", context: { cluster: "nowhere" } },
      ],
      clusters: [{ name: "c", cluster: { server: "https://10.0.0.1:6443", ...cluster } }],
      users: [{ name: "u", user }],
    }),
  );

test("reads credentials that stand in the file", async () => {
  await write(
    { "client-certificate-data": data("CERT"), "client-key-data": data("KEY"), token: "t" },
    { "certificate-authority-data": data("CA"), "tls-server-name": "kubernetes" },
  );
  const { token, ...access } = await loadKubeconfig(path);
  expect(access).toEqual({
    server: "https://10.0.0.1:6443",
    namespace: "team",
    skipVerification: false,
    certificateAuthority: "CA",
    serverName: "kubernetes",
    clientCertificate: "CERT",
    clientKey: "KEY",
  });
  expect(await token?.()).toBe("t");
});

test("reads files that it names, relative to itself, and a token anew each time", async () => {
  await writeFile(join(directory, "ca.pem"), "CA");
  await writeFile(join(directory, "token"), "first\n");
  await write({ tokenFile: "token" }, { "certificate-authority": "ca.pem" });
  const { token, certificateAuthority } = await loadKubeconfig(path);
  expect(certificateAuthority).toBe("CA");
  expect(await token?.()).toBe("first");
  await writeFile(join(directory, "token"), "second\n");
  expect(await token?.()).toBe("second");
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  ["an absent file", () => loadKubeconfig(path), /cannot read the kubeconfig .*ENOENT/],
  ["what is no kubeconfig", () => writeFile(path, "- a\n").then(() => loadKubeconfig(path)), /is not a kubeconfig/],
  ["what is no YAML", () => writeFile(path, "a: [\n").then(() => loadKubeconfig(path)), /is not YAML/],
  ["a context that is not there", () => write({}).then(() => loadKubeconfig(path, "other")), /has no context "other"/],
  ["a context whose cluster is not there", () => write({}).then(() => loadKubeconfig(path, "lost")), /has no cluster "nowhere"/],
  ["credentials from a program", () => write({ exec: { command: "aws" } }).then(() => loadKubeconfig(path)), /"u".*from a program \(exec\)/],
  ["an address that is none", () => write({}, { server: "here" }).then(() => loadKubeconfig(path)), /no valid server URL/],
])("refuses %s", async (_, load, message) => {
  await expect(load()).rejects.toThrow(message);
});

test("knows the cluster that it is in", async () => {
  for (const [name, text] of Object.entries({ "ca.crt": "CA", token: "t\n", namespace: "team" })) await writeFile(join(directory, name), text);
  const access = await inClusterAccess({ KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" }, directory);
  expect(access).toMatchObject({ server: "https://[fd00::1]:6443", certificateAuthority: "CA", namespace: "team" });
  expect(await access?.token?.()).toBe("t");
  expect(await inClusterAccess({}, directory)).toBeUndefined();
});
