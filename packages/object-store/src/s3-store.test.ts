import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ObjectStore } from "./object-store.ts";
import { S3Server } from "./s3-server.fixture.ts";
import { s3Store } from "./s3-store.ts";

let home: string;
let server: S3Server;
let store: ObjectStore;
let endpoint: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "s3-"));
  server = new S3Server("me");
  endpoint = await server.listen();
  store = s3Store({
    endpoint,
    isPlain: true,
    privateHosts: ["127.0.0.1"],
    credentials: { accessKeyId: "me", secretAccessKey: "s" },
    name: "the test's store",
  });
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

test.each([0, 5, 20 * 2 ** 20 + 1])("%d bytes come back as they went, with their digest", async (size) => {
  const bytes = randomBytes(size);
  writeFileSync(join(home, "f"), bytes);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const uri = "s3://b/d/a b+ü";
  expect(await store.putFile(uri, join(home, "f"))).toEqual({ uri, size, digest });
  expect(await store.put("s3://b/d/other", bytes)).toMatchObject({ size, digest });
  expect(await store.stat(uri)).toMatchObject({ uri, size });
  expect(await store.getFile(uri, join(home, "g/h"))).toEqual({ uri, size, digest });
  expect(readFileSync(join(home, "g/h")).equals(bytes)).toBe(true);
  expect((await buffer(store.get(uri, { start: 1, end: 4 }))).equals(bytes.subarray(1, 4))).toBe(true);
});

test("directories are what lies below, and no more", async () => {
  for (const key of ["d/a", "d/b/c", "da", "e"]) await store.put(`gs://b/${key}`, Buffer.from(key));
  expect((await Array.fromAsync(store.list("gs://b/d"))).map(({ uri }) => uri)).toEqual(["gs://b/d/a", "gs://b/d/b/c"]);
  await store.delete("gs://b/d");
  expect([...server.objects.keys()]).toEqual(["b/da", "b/e"]);
  expect(await store.stat("gs://b/d/a")).toBeUndefined();
});

test("errors name the address, the store and what to do", async () => {
  await expect(store.getFile("s3://b/none", join(home, "f"))).rejects.toMatchObject({
    reason: "NotFound",
    message: expect.stringMatching(/cannot bring s3:\/\/b\/none to .* in the test's store: NoSuchKey it is/u),
  });
  server.accessKey = "somebody else";
  await expect(store.put("s3://b/x", Buffer.from("x"))).rejects.toMatchObject({
    reason: "Forbidden",
    message: expect.stringContaining("Check the credentials"),
  });
  await server[Symbol.asyncDispose]();
  const dead = s3Store({
    endpoint: "127.0.0.1:1",
    isPlain: true,
    privateHosts: ["127.0.0.1:1"],
    maxRetries: 0,
    credentials: "anonymous",
    name: "the dead store",
  });
  await expect(dead.stat("s3://b/x")).rejects.toMatchObject({ reason: "ServiceUnavailable", message: expect.stringContaining("Check its endpoint") });
});

test.each(["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"])(
  "an endpoint at %s is not asked unless it is listed",
  async (host) => {
    const before = server.requests;
    const port = new URL(`http://${endpoint}`).port;
    for (const isPlain of [true, false]) {
      await using hidden = s3Store({ endpoint: `${host}:${port}`, isPlain, maxRetries: 0, credentials: "anonymous", name: "the hidden store" });
      const refused = { reason: "Forbidden", message: expect.stringContaining("to artifacts.privateHosts in sluice.yaml") as string };
      await expect(hidden.stat("s3://b/x")).rejects.toMatchObject(refused);
      await expect(hidden.put("s3://b/x", Buffer.from("x"))).rejects.toMatchObject(refused);
    }
    expect(server.requests).toBe(before);
  },
);
