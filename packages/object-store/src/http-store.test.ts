import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpStore } from "./http-store.ts";
import { isPublicAddress } from "./public-address.ts";

let home: string;
let server: Server;
let base: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "http-"));
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(home, { recursive: true, force: true });
});
const own = (maxBytes?: number) => httpStore({ privateHosts: ["127.0.0.1"], ...(maxBytes === undefined ? {} : { maxBytes }) });

test("files are fetched, also after a redirect and in part", async () => {
  answer = (request, response) => {
    if (request.url === "/old") response.writeHead(302, { location: "/new?x=1" }).end();
    else if (request.headers.range === "bytes=1-2") response.writeHead(206).end("el");
    else response.writeHead(200, { "content-length": 5, etag: "v1" }).end(request.method === "HEAD" ? undefined : "hello");
  };
  expect(await own().stat(`${base}/old`)).toMatchObject({ size: 5, digest: "etag:v1" });
  expect(await own().getFile(`${base}/old`, join(home, "a/b"))).toMatchObject({
    size: 5,
    digest: "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
  });
  expect(readFileSync(join(home, "a/b"), "utf8")).toBe("hello");
  expect((await buffer(own().get(`${base}/new`, { start: 1, end: 3 }))).toString()).toBe("el");
});

test("an answer that is no success says so, and what is not there is not there", async () => {
  answer = (request, response) => response.writeHead(request.url === "/gone" ? 404 : 403).end();
  expect(await own().stat(`${base}/gone`)).toBeUndefined();
  await expect(own().getFile(`${base}/mine`, join(home, "f"))).rejects.toMatchObject({ reason: "Forbidden", message: expect.stringContaining(base) });
});

test("too much is refused, whether the server says how much it is or not", async () => {
  let sized = true;
  answer = (_request, response) => {
    if (sized) response.writeHead(200, { "content-length": 100 });
    response.end("x".repeat(100));
  };
  const refusal = { reason: "RequestEntityTooLarge" };
  await expect(own(99).getFile(base, join(home, "f"))).rejects.toMatchObject(refusal);
  sized = false;
  await expect(own(99).getFile(base, join(home, "f"))).rejects.toMatchObject(refusal);
  expect(await own(100).getFile(base, join(home, "f"))).toMatchObject({ size: 100 });
});

test("redirects end", async () => {
  answer = (_request, response) => response.writeHead(302, { location: "/again" }).end();
  await expect(own().stat(base)).rejects.toThrow("redirects more than 5 times");
  answer = (_request, response) => response.writeHead(302, { location: "file:///etc/passwd" }).end();
  await expect(own().stat(base)).rejects.toThrow("redirects to");
});

describe("what is not of the public internet", () => {
  test.each(["http://127.0.0.1", "http://localhost", "http://[::1]", "http://[::ffff:127.0.0.1]", "http://2130706433", "http://0x7f.1"])(
    "is not asked: %s",
    async (host) => {
      let asked = 0;
      answer = (_request, response) => {
        asked++;
        response.end();
      };
      const url = `${host}:${new URL(base).port}/x`;
      await expect(httpStore().stat(url)).rejects.toMatchObject({
        reason: "Forbidden",
        message: expect.stringContaining("artifacts.privateHosts in sluice.yaml"),
      });
      expect(asked).toBe(0);
    },
  );

  test("is not asked after a redirect either", async () => {
    answer = (_request, response) => response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data" }).end();
    await expect(own().stat(base)).rejects.toThrow("169.254.169.254");
  });

  test("is known by its address", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "2606:4700::1111"]) expect(isPublicAddress(address), address).toBe(true);
    const others = ["10.1.2.3", "100.64.0.1", "169.254.169.254", "172.31.0.1", "192.168.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"];
    for (const address of [...others, "::", "::1", "fe80::1", "fd00::1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2002:7f00:1::", "nonsense"])
      expect(isPublicAddress(address), address).toBe(false);
  });
});

test("the web can only be read", async () => {
  await expect(own().put(`${base}/x`, Buffer.from("x"))).rejects.toMatchObject({ reason: "MethodNotAllowed" });
});
