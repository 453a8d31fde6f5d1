import { parseObjectUri } from "@sluice/object-store";
import { expect, test } from "vitest";
import { parseProviders } from "./launcher-config.ts";
import { planStore } from "./store-plan.ts";

const plan = (uri: string, providers: string, query = "") =>
  planStore(parseObjectUri(uri), { providers: parseProviders(providers, "team"), query, namespace: "team" });
const keys = { from: "keys", secret: "mlpipeline-minio-artifact", accessKeyKey: "accesskey", secretKeyKey: "secretkey" };

const S3 = `
s3:
  default:
    endpoint: s3.example.com
    region: eu-west-1
    maxRetries: 2
    credentials: {fromEnv: false, secretRef: {secretName: own, accessKeyKey: a, secretKeyKey: s}}
  overrides:
    - bucketName: b
      keyPrefix: special/
      endpoint: other.example.com
      credentials: {fromEnv: true}
    - bucketName: b
      credentials: {secretRef: {secretName: b-secret}}
`;
const own = { endpoint: "s3.example.com", region: "eu-west-1", maxRetries: 2 };

test("what no provider describes lies in the embedded store", () => {
  for (const uri of ["minio://mlpipeline/x", "s3://b/x", "gs://b/x"]) expect(plan(uri, "")).toEqual({ kind: "embedded" });
  expect(plan("minio://mlpipeline/x", S3)).toEqual({ kind: "embedded" });
  expect(plan("s3://c/x", "s3: {overrides: [{bucketName: b, credentials: {anonymous: true}}]}")).toEqual({ kind: "embedded" });
});

test("the first override that fits completes the default", () => {
  expect(plan("s3://c/x", S3)).toMatchObject({ kind: "s3", settings: own, credentials: { from: "keys", secret: "own", accessKeyKey: "a" } });
  expect(plan("s3://b/x", S3)).toMatchObject({ settings: own, credentials: { ...keys, secret: "b-secret" } });
  expect(plan("s3://b/special/x", S3)).toMatchObject({ settings: { ...own, endpoint: "other.example.com" }, credentials: { from: "environment" } });
  expect(plan("s3://b/specialx", S3)).toMatchObject({ credentials: { secret: "b-secret" } });
});

test("a query says how its root's store is reached", () => {
  const query = "endpoint=localhost:9000&region=minio&disableSSL=true&s3ForcePathStyle=true";
  const settings = { endpoint: "localhost:9000", region: "minio", disableSSL: true, forcePathStyle: true };
  expect(plan("s3://b/x", "", query)).toEqual({ kind: "s3", settings, credentials: { ...keys, isDefault: true } });
  expect(plan("s3://c/x", S3, "region=us-east-2")).toMatchObject({ settings: { ...own, region: "us-east-2" }, credentials: { secret: "own" } });
  expect(() => plan("s3://b/x", "", "endpont=x")).toThrow("?endpont=x: nothing is called so; known are endpoint");
  expect(() => plan("s3://b/x", "", "disableSSL=maybe")).toThrow("it is true or false");
});

test("Google's stores take a token, HMAC keys, or nobody's", () => {
  const token = "gs: {default: {credentials: {secretRef: {secretName: g, tokenKey: key.json}}}}";
  expect(plan("gs://b/x", token)).toEqual({ kind: "gs", credentials: { from: "token", secret: "g", tokenKey: "key.json" } });
  expect(plan("gs://b/x", "gs: {default: {endpoint: 'http://emulator:4443'}}")).toEqual({
    ...{ kind: "gs", endpoint: "http://emulator:4443", credentials: { from: "anonymous" } },
  });
  expect(
    plan("gs://b/x", "gs: {Overrides: [{bucketName: b, credentials: {secretRef: {secretName: h, accessKeyKey: a, secretKeyKey: s}}}]}"),
  ).toMatchObject({
    ...{ kind: "s3", settings: { endpoint: "https://storage.googleapis.com", region: "auto" } },
    credentials: { from: "keys", secret: "h" },
  });
  // Whoever starts a run may not have the namespace's token sent to a place of their choice.
  expect(plan("gs://b/x", token, "endpoint=http://evil")).toMatchObject({ credentials: { from: "anonymous" } });
});

test.each([
  ["s3: [", "ConfigMap team/kfp-launcher: providers: not YAML"],
  ["s3: {defaults: {}}", 'ConfigMap team/kfp-launcher: providers.s3: unknown field "defaults" (did you mean "default"?)'],
  ["s3: {default: {disableSSL: 'yes'}}", "providers.s3.default.disableSSL: must be a boolean"],
  ["s3: {overrides: [{keyPrefix: x}]}", "providers.s3.overrides[0].bucketName: is required"],
  ["s3: {default: {credentials: {secretRef: {}}}}", "providers.s3.default.credentials.secretRef.secretName: is required"],
  ["azure: {}", 'unknown field "azure"'],
])("%s is wrong", (providers, message) => {
  expect(() => parseProviders(providers, "team")).toThrow(message);
});

test("a store that cannot be reached as it is described says what is missing", () => {
  expect(() => plan("minio://b/x", "minio: {default: {region: x}}")).toThrow("providers.minio: a MinIO needs an endpoint");
  expect(() => plan("gs://b/x", "gs: {default: {credentials: {secretRef: {secretName: g}}}}")).toThrow("names no key of the secret. Give tokenKey");
});
