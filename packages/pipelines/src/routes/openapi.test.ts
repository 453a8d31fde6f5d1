import { expect, test } from "vitest";
import { routePath } from "./api.ts";
import { useRest } from "./rest.fixture.ts";

const rest = useRest();
interface Document {
  readonly openapi: string;
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string; readonly summary: string }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}
const read = async (): Promise<Document> => (await rest.ok("GET", "/openapi.json")) as unknown as Document;

test("every route that is mounted is described, and every one that is described is mounted", async () => {
  const { paths } = await read();
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${routePath(path)}`),
  );
  const mounted = rest.world.app.routes
    .filter(({ method, path }) => method !== "ALL" && path !== "/metrics")
    .map(({ method, path }) => `${method} ${path}`);
  expect([...new Set(mounted)].sort()).toEqual(described.sort());
});

test("an operation has an id of its own, and a sentence about it", async () => {
  const operations = Object.values((await read()).paths).flatMap((methods) => Object.values(methods));
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  for (const { operationId, summary } of operations) {
    expect(operationId).toMatch(/^[a-z_]+$/u);
    expect(summary).toMatch(/^[A-Z].*\.$/u);
  }
});

test("what the document refers to is in it", async () => {
  const document = await read();
  expect(document.openapi).toBe("3.1.0");
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/gu)].map(([, name = ""]) => name);
  expect([...new Set(references)].sort()).toEqual(Object.keys(document.components.schemas).sort());
});

test("no route answers a request of any kind with a server's failure", async () => {
  rest.world.work = () => ({ hangs: true });
  const run = await rest.run();
  const ids: Record<string, string> = { run_id: run, task_id: await rest.taskId(run, "root.first"), node_id: await rest.taskId(run, "root.first") };
  for (const { method, path, query = {} } of rest.world.operations) {
    if (path.endsWith(":watch") || method === "delete") continue;
    for (const strange of ["", "null", "[]", "{}", '"x"', '{"a":1}', '{"tasks":{"x":null}}', '{"artifacts":[null]}', '{"filter":"{"}']) {
      for (const parameters of [
        "",
        `?${Object.keys(query)
          .map((name) => `${name}=%00%F0`)
          .join("&")}`,
      ]) {
        const url = path.replaceAll(/\{(\w+)\}/gu, (_match, name: string) => ids[name] ?? "none") + parameters;
        const response = await rest.send(method.toUpperCase(), url, method === "get" ? undefined : strange);
        expect(response.status, `${method} ${url} ${strange}`).toBeLessThan(500);
        if (method === "get") break;
      }
    }
  }
});
