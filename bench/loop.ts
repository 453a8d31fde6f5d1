import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createHttpsTransport, loadKubeconfig, type HttpsTransport } from "@sluice/client";
import type { UnknownObject } from "@sluice/kubernetes";
import { load } from "./load.ts";
import type { LoopReport } from "./loop-server.ts";
import { temporaryDirectory } from "./server.ts";
import { ms, type Measurement } from "./statistics.ts";

const OBJECTS = 10_000;
const CLIENTS = 64;
const VALUE = "x".repeat(2048);
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";
const DEFAULT = "/api/v1/namespaces/default";

/** How long the control plane holds up everybody, while there are 10,000 objects of a kind, in its longest event-loop turn. */
export async function benchLoop(): Promise<readonly Measurement[]> {
  using directory = temporaryDirectory();
  const rows: Measurement[] = [];
  {
    await using server = await start(directory.path);
    const measure = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      await server.longestMs();
      const started = performance.now();
      await work();
      const elapsed = performance.now() - started;
      rows.push({ name: `longest turn: ${name}`, value: ms(await server.longestMs()), against: `all of it: ${ms(elapsed)}`, aim: "≤ 50 ms" });
    };
    const fill = (path: string, make: (name: string) => object): Promise<unknown> =>
      load(Array.from({ length: CLIENTS }), OBJECTS, async (_, index) => void (await server.send("POST", path, make(`o-${index}`))));
    await measure("creating ConfigMaps", () => fill(`${DEFAULT}/configmaps`, configMap));
    await measure("creating Pods", () => fill(`${DEFAULT}/pods`, pod));
    await measure("a list", () => server.send("GET", `${DEFAULT}/configmaps`));
    await measure("a list as a table", () => server.send("GET", `${DEFAULT}/pods`, undefined, TABLE));
    await measure("a list by label", () => server.send("GET", `${DEFAULT}/pods?labelSelector=app%3Dnone`));
    await measure("a list of pages", async () => {
      for (let token: string | undefined = ""; token !== undefined;) {
        const page: UnknownObject = await server.send("GET", `${DEFAULT}/configmaps?limit=500&continue=${token}`);
        token = (page.metadata as { readonly continue?: string }).continue;
      }
    });
    await measure("a watch of all", () => server.watchInitially(`${DEFAULT}/pods`));
    await measure("a new kind", async () => {
      await server.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);
      await server.send("GET", "/openapi/v3");
    });
    await measure("deleting a collection", () => server.send("DELETE", `${DEFAULT}/configmaps`));
    await server.send("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "full" } });
    await fill("/api/v1/namespaces/full/configmaps", configMap);
    await measure("deleting a namespace", async () => {
      await server.send("DELETE", "/api/v1/namespaces/full");
      await server.untilEmpty("/api/v1/namespaces?fieldSelector=metadata.name%3Dfull");
    });
    const owner = await server.send("POST", `${DEFAULT}/configmaps`, configMap("owner"));
    const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid }];
    await fill(`${DEFAULT}/secrets`, (name) => ({ apiVersion: "v1", kind: "Secret", metadata: { name, ownerReferences } }));
    await measure("collecting dependents", async () => {
      await server.send("DELETE", `${DEFAULT}/configmaps/owner`);
      await server.untilEmpty(`${DEFAULT}/secrets`);
    });
    await fill(`${DEFAULT}/configmaps`, configMap);
  }
  const started = performance.now();
  await using again = await start(directory.path);
  const elapsed = performance.now() - started;
  await again.send("GET", `${DEFAULT}/configmaps`);
  return [
    ...rows,
    { name: "longest turn: a restart, until it serves", value: ms(again.startedMs), against: `all of it: ${ms(elapsed)}`, aim: "" },
    { name: "longest turn: after a restart", value: ms(await again.longestMs()), against: "", aim: "≤ 50 ms" },
  ];
}

function configMap(name: string): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value: VALUE } };
}

function pod(name: string): object {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels: { app: "bench" } }, spec: { containers: [{ name: "main", image: "busybox" }] } };
}

const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.bench.example.com" },
  spec: {
    group: "bench.example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object" } } } } },
    ],
  },
};

interface LoopServer extends AsyncDisposable {
  /** The longest turn of its start. */
  readonly startedMs: number;
  /** The longest turn since it was last asked. */
  longestMs(): Promise<number>;
  send(method: string, path: string, body?: object, accept?: string): Promise<UnknownObject>;
  /** Watches a collection until all that was there has been told. */
  watchInitially(path: string): Promise<void>;
  /** Resolves once a list is empty. */
  untilEmpty(path: string): Promise<void>;
}

async function start(directory: string): Promise<LoopServer> {
  const child = fork(join(import.meta.dirname, "loop-server.ts"), [directory]);
  const { kubeconfigPath, longestMs: startedMs } = await reportOf(child);
  const transport = createHttpsTransport(await loadKubeconfig(kubeconfigPath));
  const send: LoopServer["send"] = async (method, path, body, accept) => {
    const response = await transport.send({ method, ...split(path), body, accept });
    if (response.kind !== "object") throw new Error(`${method} ${path} answered with ${response.kind}`);
    return response.object;
  };
  return {
    startedMs,
    send,
    longestMs: async () => {
      child.send("report");
      return (await reportOf(child)).longestMs;
    },
    watchInitially: (path) => watchInitially(transport, path),
    untilEmpty: async (path) => {
      while (!isEmpty(await send("GET", `${path}${path.includes("?") ? "&" : "?"}limit=1`))) await new Promise((resolve) => setTimeout(resolve, 50));
    },
    [Symbol.asyncDispose]: async () => {
      transport[Symbol.dispose]();
      child.disconnect();
      await once(child, "exit");
    },
  };
}

async function watchInitially(transport: HttpsTransport, path: string): Promise<void> {
  const query = { watch: "1", allowWatchBookmarks: "true", sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };
  const response = await transport.send({ method: "GET", path, query });
  if (response.kind !== "watch") throw new Error("this is no watch");
  for await (const { type } of response.events) if (type === "BOOKMARK") break;
}

async function reportOf(child: ChildProcess): Promise<LoopReport> {
  const [report] = (await once(child, "message")) as [LoopReport];
  return report;
}

function split(path: string): { readonly path: string; readonly query: Record<string, string> } {
  const [bare = "", query = ""] = path.split("?");
  return { path: bare, query: Object.fromEntries(new URLSearchParams(query)) };
}

function isEmpty(list: UnknownObject): boolean {
  return Array.isArray(list["items"]) && list["items"].length === 0;
}
