import { afterEach, beforeEach, expect, test } from "vitest";
import { openWorld, type World } from "./world.fixture.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const deployments = "/apis/apps/v1/namespaces/default/deployments";
const bodyText = `{
  "apiVersion": "apps/v1", "kind": "Deployment",
  "metadata": {"name": "web", "unknownMeta": 1},
  "spec": {
    "unknown1": 1, "unknownDupe": 1, "unknownDupe": 2, "paused": true, "paused": false,
    "selector": {"matchLabels": {"a": "b"}},
    "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x", "unknownNested": 1, "imagePullPolicy": "Always", "imagePullPolicy": "Never"}]}}
  }
}`;
const problems = [
  'unknown field "metadata.unknownMeta"',
  'unknown field "spec.unknown1"',
  'unknown field "spec.unknownDupe"',
  'duplicate field "spec.paused"',
  'unknown field "spec.template.spec.containers[0].unknownNested"',
  'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
];
const sent = (fieldValidation: string): object => ({
  query: fieldValidation === "" ? {} : { fieldValidation },
  body: JSON.parse(bodyText),
  bodyText,
});

test("Strict refuses, naming every unknown and every duplicate field in order", async () => {
  expect((await world.refusal("POST", deployments, sent("Strict"))).toStatus()).toMatchObject({
    code: 400,
    reason: "BadRequest",
    message: `strict decoding error: ${problems.join(", ")}`,
  });
});

test("Warn, which is the default, warns of each; Ignore is silent", async () => {
  expect((await world.respond("POST", `${deployments}`, { ...sent(""), query: { dryRun: "All" } })).warnings).toEqual(problems);
  expect((await world.respond("POST", deployments, sent("Ignore"))).warnings).toBeUndefined();
  expect(await world.refusal("POST", deployments, sent("Bogus"))).toMatchObject({ reason: "Invalid" });
});

test("patches are judged by what they make", async () => {
  await world.send("POST", deployments, sent("Ignore"));
  const patch = { contentType: "application/strategic-merge-patch+json", query: { fieldValidation: "Strict" }, body: { spec: { bogus: 1 } } };
  expect(await world.refusal("PATCH", `${deployments}/web`, patch)).toMatchObject({
    reason: "BadRequest",
    message: 'strict decoding error: unknown field "spec.bogus"',
  });
});

test("custom kinds: duplicates first, also where unknown fields are kept; embedded metadata too", async () => {
  const version = {
    name: "v1",
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            properties: {
              a: { type: "integer" },
              open: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
              pod: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
            },
          },
        },
      },
    },
  };
  await world.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "ws.e.com" },
      spec: { group: "e.com", scope: "Namespaced", names: { plural: "ws", kind: "W" }, versions: [version] },
    },
  });
  const text = `{"apiVersion":"e.com/v1","kind":"W","metadata":{"name":"w"},"spec":{"x":1,"a":1,"a":2,"open":{"z":1,"z":2},"pod":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","bogus":1}}}}`;
  const refused = await world.refusal("POST", "/apis/e.com/v1/namespaces/default/ws", {
    query: { fieldValidation: "Strict" },
    body: JSON.parse(text),
    bodyText: text,
  });
  expect(refused.message).toBe(
    'strict decoding error: duplicate field "spec.a", duplicate field "spec.open.z", unknown field "spec.x", unknown field "spec.pod.metadata.bogus"',
  );
});
