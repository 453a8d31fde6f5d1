import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RouteEnvironment } from "@sluice/component";
import { ApiError, UserError } from "@sluice/kubernetes";
import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveGateway, type Gateway } from "./gateway.ts";

let gateway: Gateway;
let directory: string;
const logged: string[] = [];
const logger = { info: () => undefined, warn: () => undefined, error: (message: string) => void logged.push(message) };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-gateway-"));
  await mkdir(join(directory, "assets"));
  await writeFile(join(directory, "index.html"), "<h1>dashboard</h1>");
  await writeFile(join(directory, "assets", "a-1b2c.js"), "let a;");
  const app = new Hono<RouteEnvironment>();
  app.get("/who", (context) => context.json({ user: context.get("identity").username, header: context.req.header("kubeflow-userid") ?? null }));
  app.post("/things", (context) => context.json({ made: true }));
  app.get("/missing", () => {
    throw new ApiError("NotFound", "no thing x");
  });
  app.get("/mistake", () => {
    throw new UserError("that is wrong", { fix: "do it right" });
  });
  app.get("/bug", () => {
    throw new Error("secret detail");
  });
  gateway = await serveGateway({
    host: "127.0.0.1",
    port: 0,
    routes: [{ paths: ["/apis/v2beta1", "/pipeline/apis/v2beta1"], app }],
    kubernetes: {
      async send({ path, query }, user) {
        if (path === "/api/v1/secrets") throw new ApiError("Forbidden", "no");
        if (query["watch"] === "true") return { kind: "watch", events: endless() };
        return { kind: "object", status: 200, object: { apiVersion: "v1", kind: "Echo", metadata: { name: path }, user: user.username } };
      },
    },
    dashboard: directory,
    about: { version: "1" },
    logger,
  });
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function* endless(): AsyncGenerator<never> {
  yield { type: "ADDED", object: { metadata: { name: "a" } } } as never;
  await new Promise(() => undefined);
}

interface Scenario {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
  readonly body?: string;
  readonly not?: string;
  readonly header?: readonly [string, RegExp];
}

const scenarios: readonly Scenario[] = [
  { name: "health", path: "/healthz", status: 200, body: '"version":"1"' },
  {
    name: "identity cannot be claimed",
    path: "/apis/v2beta1/who",
    headers: { "Kubeflow-UserId": "root" },
    status: 200,
    body: '{"user":"local","header":null}',
  },
  { name: "second path", path: "/pipeline/apis/v2beta1/who", status: 200, body: "local" },
  { name: "a slash too many", path: "//apis/v2beta1/who", status: 200, body: "local" },
  { name: "foreign host", path: "/apis/v2beta1/who", headers: { host: "evil.example" }, status: 403, body: "evil.example" },
  { name: "localhost", path: "/apis/v2beta1/who", headers: { host: "localhost:9" }, status: 200 },
  { name: "foreign page writes", path: "/apis/v2beta1/things", method: "POST", headers: { origin: "http://evil.example" }, status: 403 },
  { name: "sandboxed page writes", path: "/apis/v2beta1/things", method: "POST", headers: { origin: "null" }, status: 403 },
  { name: "page of another local port writes", path: "/apis/v2beta1/things", method: "POST", headers: { origin: "http://localhost:1" }, status: 403 },
  { name: "cross-site form writes", path: "/apis/v2beta1/things", method: "POST", headers: { "sec-fetch-site": "cross-site" }, status: 403 },
  { name: "a program writes", path: "/apis/v2beta1/things", method: "POST", status: 200, body: "made" },
  { name: "refusal", path: "/apis/v2beta1/missing", status: 404, body: '"code":5,"message":"no thing x"' },
  { name: "mistake", path: "/apis/v2beta1/mistake", status: 400, body: "that is wrong: do it right" },
  { name: "bug", path: "/apis/v2beta1/bug", status: 500, body: '"code":13', not: "secret" },
  { name: "unknown API", path: "/apis/v9/none", status: 404, body: "there is no GET /apis/v9/none" },
  { name: "API answers are data", path: "/apis/v2beta1/who", status: 200, header: ["content-security-policy", /sandbox/u] },
  { name: "Kubernetes", path: "/k8s/api/v1/nodes", status: 200, body: '"name":"/api/v1/nodes"' },
  { name: "Kubernetes refusal", path: "/k8s/api/v1/secrets", status: 403, body: '"kind":"Status"' },
  { name: "dashboard", path: "/", status: 200, body: "<h1>dashboard</h1>", header: ["content-security-policy", /frame-ancestors 'none'/u] },
  { name: "dashboard's own paths", path: "/runs/abc", status: 200, body: "<h1>dashboard</h1>", header: ["cache-control", /no-cache/u] },
  { name: "asset", path: "/assets/a-1b2c.js", status: 200, body: "let a;", header: ["cache-control", /immutable/u] },
  { name: "no asset", path: "/assets/none.js", status: 404 },
  { name: "escape", path: "/..%2f..%2fetc%2fpasswd.txt", status: 404, not: "root:" },
];

test.each(scenarios)("$name", async ({ path, method = "GET", headers = {}, status, body, not, header }) => {
  const answer = await ask(path, method, headers);
  expect(answer.status).toBe(status);
  if (body !== undefined) expect(answer.body).toContain(body);
  if (not !== undefined) expect(answer.body).not.toContain(not);
  if (header !== undefined) expect(answer.headers[header[0]]).toMatch(header[1]);
});

test("the page's own writes pass", async () => {
  expect((await ask("/apis/v2beta1/things", "POST", { host: `localhost:${gateway.port}`, origin: `http://localhost:${gateway.port}` })).status).toBe(
    200,
  );
});

test.each(["/", "/assets/a-1b2c.js"])("%s is not sent twice, and keeps its policy", async (path) => {
  const { etag } = (await ask(path, "GET", {})).headers;
  const again = await ask(path, "GET", { "if-none-match": String(etag) });
  expect(again.status).toBe(304);
  expect(again.headers["content-security-policy"]).toMatch(/frame-ancestors 'none'/u);
});

test("bugs are logged", () => expect(logged).toContain("request failed"));

test("an address that others reach is refused", async () => {
  await expect(serveGateway({ host: "0.0.0.0", port: 0, routes: [], dashboard: undefined, logger })).rejects.toThrow("everybody");
});

test("without a built dashboard a page says how to build it, and closing ends", async () => {
  const bare = await serveGateway({ host: "127.0.0.1", port: 0, routes: [], dashboard: join(directory, "none"), logger });
  expect(await (await fetch(bare.url)).text()).toContain("npm run build");
  await bare[Symbol.asyncDispose]();
  await expect(fetch(bare.url)).rejects.toThrow("fetch failed");
});

/** `fetch` does not let a caller choose Host and Origin. */
function ask(
  path: string,
  method: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: gateway.port, path, method, headers }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
    });
    asked.on("error", reject).end();
  });
}
