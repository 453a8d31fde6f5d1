import { execFile } from "node:child_process";
import { randomUUID, X509Certificate } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPki, type Pki } from "./pki.ts";

const names = ["127.0.0.1", "localhost", "kubernetes.default.svc", "10.96.0.1", "fd00::1"];
const day = 24 * 60 * 60 * 1000;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-pki-"));
});
afterEach(() => rm(directory, { recursive: true }));

const open = (now = Date.now(), also: readonly string[] = []): Promise<Pki> =>
  openPki({ directory, names: [...names, ...also], clock: { now: () => now, sleep: async () => {} }, newId: randomUUID });

test("issues certificates that chain to the authority and carry names, groups and purposes", async () => {
  const { authority, server, admin } = await open();
  const [root, leaf, client] = [authority, server.certificate, admin.certificate].map((pem) => new X509Certificate(pem));
  expect(root!.ca).toBe(true);
  for (const certificate of [leaf!, client!]) {
    expect(certificate.ca).toBe(false);
    expect(certificate.checkIssued(root!)).toBe(true);
    expect(certificate.verify(root!.publicKey)).toBe(true);
  }
  expect(leaf!.subjectAltName).toBe(
    "IP Address:127.0.0.1, DNS:localhost, DNS:kubernetes.default.svc, IP Address:10.96.0.1, IP Address:FD00:0:0:0:0:0:0:1",
  );
  expect(client!.subject).toBe("O=system:masters\nCN=kubernetes-admin");
  expect([leaf!.keyUsage, client!.keyUsage]).toEqual([["1.3.6.1.5.5.7.3.1"], ["1.3.6.1.5.5.7.3.2"]]);
});

test("keeps its files to itself and finds them again", async () => {
  const first = await open();
  for (const name of await readdir(directory)) expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  const second = await open();
  expect(second.accountKey.equals(first.accountKey)).toBe(true);
  expect({ ...second, accountKey: undefined }).toEqual({ ...first, accountKey: undefined });
});

test.each<[string, () => Promise<Pki>, readonly (keyof Pki)[]]>([
  ["what is about to expire", () => open(Date.now() + 306 * day), ["server", "admin"]],
  ["everything when the root goes", () => open(Date.now() + 3600 * day), ["authority", "server", "admin"]],
  ["the server's certificate for a new name", () => open(Date.now(), ["10.88.0.1"]), ["server"]],
  ["a pair of which half is missing", () => rm(join(directory, "admin.key")).then(() => open()), ["admin"]],
  [
    "a pair that does not match",
    async () => {
      await writeFile(join(directory, "admin.key"), (await open()).server.key);
      return open();
    },
    ["admin"],
  ],
])("renews %s", async (_, again, renewed) => {
  const first = await open();
  const second = await again();
  const changed = (["authority", "server", "admin"] as const).filter((part) => JSON.stringify(first[part]) !== JSON.stringify(second[part]));
  expect(changed).toEqual(renewed);
});

test("has room for as many names as there are", async () => {
  const many = Array.from({ length: 300 }, (_, i) => `host-${i}.${"x".repeat(60)}.example.org`);
  const certificate = new X509Certificate((await open(Date.now(), many)).server.certificate);
  for (const name of many) expect(certificate.checkHost(name)).toBe(name);
});

test("writes DER that another implementation accepts", async () => {
  const { authority, server } = await open();
  await writeFile(join(directory, "root.pem"), authority);
  await writeFile(join(directory, "leaf.pem"), server.certificate);
  const verdict = new Promise<string>((resolve) => {
    execFile("openssl", ["verify", "-x509_strict", "-CAfile", join(directory, "root.pem"), join(directory, "leaf.pem")], (error, stdout, stderr) => {
      // Machines without the tool have OpenSSL all the same: inside Node, which the tests above have asked.
      resolve(error !== null && "code" in error && error.code === "ENOENT" ? "OK" : stdout + stderr);
    });
  });
  expect(await verdict).toContain("OK");
});
