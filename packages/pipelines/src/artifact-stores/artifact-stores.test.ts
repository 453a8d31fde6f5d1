import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "@sluice/client";
import { openDirectoryStore, type ObjectStore } from "@sluice/object-store";
import { afterEach, beforeEach, expect, test } from "vitest";
import { S3Server } from "../../../object-store/src/s3-server.fixture.ts";
import { type ArtifactSettings, ArtifactStores } from "./artifact-stores.ts";

let home: string;
let embedded: ObjectStore;
let server: S3Server;
let endpoint: string;
const cluster = new Map<string, Record<string, string>>();
const client = {
  find: async (resource: { kind: string }, { namespace, name }: { namespace?: string; name: string }) => {
    await sleep(0);
    const data = cluster.get(`${resource.kind}/${namespace}/${name}`);
    return data === undefined ? undefined : { data };
  },
} as unknown as Client;
const stores = (settings: ArtifactSettings = {}) => new ArtifactStores({ embedded, client, settings: { privateHosts: ["127.0.0.1"], ...settings } });
const configure = (namespace: string, data: Record<string, string>) => cluster.set(`ConfigMap/${namespace}/kfp-launcher`, data);
const secret = (namespace: string, accesskey: string) =>
  cluster.set(`Secret/${namespace}/mlpipeline-minio-artifact`, {
    accesskey: Buffer.from(accesskey).toString("base64"),
    secretkey: Buffer.from("s").toString("base64"),
  });
const minio = (): string => `minio: {default: {endpoint: '${endpoint}', disableSSL: true, maxRetries: 0}}`;
const text = async (store: ObjectStore, uri: string): Promise<string> => (await buffer(store.get(uri))).toString();

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "stores-"));
  embedded = await openDirectoryStore({ directory: join(home, "objects") });
  server = new S3Server("key-1");
  endpoint = await server.listen();
  cluster.clear();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await embedded[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

test("each namespace has the stores that its own ConfigMap describes", async () => {
  configure("a", { providers: minio(), defaultPipelineRoot: "minio://bucket/a" });
  secret("a", "key-1");
  const all = stores();
  await all.of("a").put("minio://bucket/x", Buffer.from("of a"));
  await all.of("b").put("minio://bucket/x", Buffer.from("of b"));
  expect(server.objects.get("bucket/x")?.toString()).toBe("of a");
  expect(await text(all.of("a"), "minio://bucket/x")).toBe("of a");
  expect(await text(all.of("b"), "minio://bucket/x")).toBe("of b");
  expect(await all.of("c").stat("minio://bucket/x")).toBeUndefined();
  expect(await all.defaultRootOf("a")).toBe("minio://bucket/a");
  expect(await all.defaultRootOf("b")).toBe("minio://mlpipeline/v2/artifacts");
  await all.close();
});

test("new keys are taken up by whoever was refused with the old ones", async () => {
  configure("a", { providers: minio() });
  secret("a", "key-1");
  const all = stores();
  const store = all.of("a");
  await store.put("minio://bucket/x", Buffer.from("x"));
  server.accessKey = "key-2";
  await expect(store.put("minio://bucket/y", Buffer.from("y"))).rejects.toMatchObject({ reason: "Forbidden" });
  secret("a", "key-2");
  await store.put("minio://bucket/y", Buffer.from("y"));
  server.accessKey = "key-3";
  secret("a", "key-3");
  expect(await text(store, "minio://bucket/y")).toBe("y");
  expect((await Array.fromAsync(store.list("minio://bucket"))).length).toBe(2);
  await all.close();
});

test("a root's query describes its store where no provider does", async () => {
  secret("a", "key-1");
  const all = stores();
  const query = `endpoint=${endpoint}&region=x&disableSSL=true`;
  await all.of("a", { query }).put("s3://bucket/x", Buffer.from("x"));
  expect([...server.objects.keys()]).toEqual(["bucket/x"]);
  expect(await all.of("a").stat("s3://bucket/x")).toBeUndefined();
  await all.close();
});

test.each([
  [() => configure("a", { providers: minio() }), "there is no Secret a/mlpipeline-minio-artifact. Create it"],
  [() => configure("a", { providers: "minio: {default: {endpoint: e, credentials: {secretRef: {secretName: s}}}}" }), "there is no Secret a/s"],
  [
    () => configure("a", { providers: "minio: {default: {endpoint: e, credentials: {fromEnv: true}}}" }),
    "artifacts.environmentCredentials in sluice.yaml",
  ],
  [() => configure("a", { providers: "minio: {defalt: {}}" }), 'did you mean "default"?'],
  [
    () => {
      configure("a", { providers: "minio: {default: {endpoint: e, credentials: {secretRef: {secretName: s, accessKeyKey: x, secretKeyKey: y}}}}" });
      cluster.set("Secret/a/s", { y: "" });
    },
    'Secret a/s has no key "x"; it has y',
  ],
])("what is wrong is said at once (%#)", async (prepare, message) => {
  prepare();
  await expect(stores().of("a").stat("minio://bucket/x")).rejects.toThrow(message);
});

test("addresses that are no objects say why they cannot be read", async () => {
  const store = stores({ directories: [{ path: home, namespaces: ["b"] }] }).of("a");
  await expect(store.stat("oci://image")).rejects.toThrow("is an image");
  await expect(store.stat("https://example.com/x")).rejects.toThrow("lies on the web");
  await expect(store.stat(`file://${home}/x`)).rejects.toThrow("no directory of this machine that is open to this namespace");
  expect(
    await stores({ directories: [{ path: home, namespaces: ["b"] }] })
      .of("b")
      .stat(`${home}/x`),
  ).toBeUndefined();
});
