import { PROTOBUF_MEDIA_TYPE } from "@sluice/kubernetes";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type Cluster } from "../start-cluster.ts";
import { rawClient, type RawClient } from "./raw-client.fixture.ts";

/** Enough to find what is new; what was there has been looked for with a hundred times as many. */
const RUNS = 300;
let cluster: Cluster;
let raw: RawClient;
const failures: unknown[] = [];

beforeAll(async () => {
  cluster = await startCluster({ logger: { info: () => {}, warn: () => {}, error: (...failure) => failures.push(failure) } });
  raw = await rawClient(cluster.kubeconfigPath);
});
afterAll(async () => {
  raw[Symbol.dispose]();
  await cluster[Symbol.asyncDispose]();
});

const word = fc.constantFrom(
  "api",
  "apis",
  "v1",
  "namespaces",
  "default",
  "configmaps",
  "pods",
  "a",
  "status",
  "log",
  "scale",
  "token",
  "apps",
  "deployments",
  "batch",
  "jobs",
  "openapi",
  "v3",
  "events",
  "%zz",
  "%2f",
  "..",
  "ä",
  "",
);
const paths = fc.oneof(
  fc
    .array(word, { maxLength: 7 })
    .map((parts) => `/${parts.map((part) => encodeURI(part).replace("%25zz", "%zz").replace("%252f", "%2f")).join("/")}`),
  fc
    .tuple(
      fc.constantFrom(
        "/api/v1/namespaces/default/configmaps",
        "/api/v1/namespaces/default/pods",
        "/apis/apps/v1/namespaces/default/deployments",
        "/api/v1/namespaces",
        "/api/v1/namespaces/default/serviceaccounts",
      ),
      word,
    )
    .map(([collection, name]) => (name === "" || /[%.ä]/u.test(name) ? collection : `${collection}/${name}`)),
);
const parameter = fc.tuple(
  fc.constantFrom(
    "limit",
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "labelSelector",
    "fieldSelector",
    "dryRun",
    "fieldValidation",
    "pretty",
    "includeObject",
    "propagationPolicy",
    "gracePeriodSeconds",
    "fieldManager",
    "force",
    "container",
    "tailLines",
  ),
  fc.oneof(
    fc.constantFrom("", "0", "-1", "true", "All", "Exact", "a=b", "metadata.name=a", "a in (b", "Strict", "999999999999999999999"),
    fc.string({ maxLength: 8 }),
  ),
);
const object = fc.record(
  {
    apiVersion: fc.constantFrom<unknown>("v1", "apps/v1", 5, null),
    kind: fc.constantFrom<unknown>("ConfigMap", "Pod", "Deployment", "Status", {}, null),
    metadata: fc.oneof(
      fc.record(
        {
          name: fc.constantFrom<unknown>("a", "A_", 5, null, ""),
          labels: fc.jsonValue(),
          annotations: fc.jsonValue(),
          finalizers: fc.jsonValue(),
          ownerReferences: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
      fc.jsonValue(),
    ),
    spec: fc.oneof(
      fc.record({ containers: fc.jsonValue(), template: fc.jsonValue(), replicas: fc.jsonValue(), selector: fc.jsonValue() }, { requiredKeys: [] }),
      fc.jsonValue(),
    ),
    data: fc.jsonValue(),
    status: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  object.map((one) => Buffer.from(JSON.stringify(one))),
  fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
  fc.string().map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.concat([Buffer.from("k8s\0"), bytes])),
);
const types = fc.constantFrom(
  "application/json",
  "application/yaml",
  PROTOBUF_MEDIA_TYPE,
  "application/merge-patch+json",
  "application/json-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
  "text/plain",
  "",
);
const accepts = fc.constantFrom(
  "",
  "*/*",
  "application/json",
  PROTOBUF_MEDIA_TYPE,
  "application/json;as=Table;v=v1;g=meta.k8s.io",
  "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
  ";;,,q=",
);

test("whatever is asked, the server answers, and never that it failed", async () => {
  const request = fc.record({
    method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
    path: paths,
    query: fc.array(parameter, { maxLength: 3 }),
    body: bodies,
    type: types,
    accept: accepts,
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, query, body, type, accept }) => {
      const target = query.length === 0 ? path : `${path}?${new URLSearchParams(query).toString()}`;
      const hasBody = method !== "GET" && method !== "HEAD";
      const { status } = await raw.as("admin", target, { method, headers: { accept, "content-type": type }, ...(hasBody ? { body } : {}) });
      expect(failures.splice(0)).toEqual([]);
      expect(status).not.toBe(500);
    }),
    { numRuns: RUNS },
  );
});
