import { generateKeyPairSync, randomUUID, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, createHttpsTransport, loadKubeconfig } from "@sluice/client";
import { systemClock } from "@sluice/controller";
import type { SelfSubjectReview, TokenReview } from "@sluice/kubernetes";
import { exportJWK, SignJWT, UnsecuredJWT, type JWK } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startCluster } from "../start-cluster.ts";
import { OidcTokens, type OidcOptions } from "./oidc-tokens.ts";
import { openPki, type Pki } from "./pki.ts";
import { TOKEN_ISSUER } from "./service-account-tokens.ts";

interface Key {
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
}

let pki: Pki;
let directory: string;
let issuer: string;
let stop: () => Promise<unknown>;
/** What the issuer publishes, and how often it was asked. */
let published: Key[];
let discovery: object;
let asked: number;
let key: Key;
let now: number;

async function makeKey(id: string): Promise<Key> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { id, privateKey, jwk: { ...(await exportJWK(publicKey)), kid: id, alg: "RS256", use: "sig" } };
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "sluice-oidc-"));
  pki = await openPki({ directory, names: ["127.0.0.1"], clock: systemClock, newId: randomUUID });
  const server = createServer({ cert: pki.server.certificate, key: pki.server.key }, ({ url }, res) => {
    if (url === "/.well-known/openid-configuration") res.end(JSON.stringify(discovery));
    else if (url === "/keys") {
      asked++;
      res.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }));
    } else {
      res.writeHead(404);
      res.end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  key = await makeKey("first");
  stop = () => new Promise((resolve) => server.close(resolve));
});
afterAll(async () => {
  await stop();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  now = Date.now();
  asked = 0;
  published = [key];
  discovery = { issuer, jwks_uri: `${issuer}/keys` };
});

const open = (options: Partial<OidcOptions> = {}): OidcTokens =>
  new OidcTokens(
    { issuer, clientIds: ["sluice", "other"], ca: pki.authority, ...options },
    { clock: { now: () => now, sleep: async () => {} }, logger: { info: () => {}, warn: () => {}, error: () => {} } },
  );
const sign = (claims: object = {}, by: Key = key, alg = "RS256"): Promise<string> =>
  new SignJWT({ sub: "ann", iss: issuer, aud: "sluice", exp: Math.floor(now / 1000) + 600, ...claims })
    .setProtectedHeader({ alg, kid: by.id })
    .sign(by.privateKey);
const userOf = async (claims: object, options: Partial<OidcOptions> = {}): Promise<unknown> =>
  (await open(options).verify(await sign(claims), [TOKEN_ISSUER])).user;

test.each<[string, object, Partial<OidcOptions>, object]>([
  ["its subject, who is the issuer's", {}, {}, { username: "ann" }],
  ["a claim, with a prefix", { name: "Ann" }, { usernameClaim: "name", usernamePrefix: "oidc:" }, { username: "oidc:Ann" }],
  ["an address, which is nobody else's", { email: "a@b", email_verified: true }, { usernameClaim: "email" }, { username: "a@b" }],
  ["a name as it is", {}, { usernamePrefix: "-" }, { username: "ann" }],
  ["groups", { roles: ["dev", "ops"] }, { groupsClaim: "roles", groupsPrefix: "g:" }, { groups: ["g:dev", "g:ops", "system:authenticated"] }],
  ["one group", { roles: "dev" }, { groupsClaim: "roles" }, { groups: ["dev", "system:authenticated"] }],
  ["its own name", { jti: "1" }, {}, { extra: { "authentication.kubernetes.io/credential-id": ["JTI=1"] } }],
])("a token speaks for %s", async (_, claims, options, user) => {
  const prefix = "username" in user && Object.keys(options).length === 0 ? { username: `${issuer}#ann` } : {};
  expect(await userOf(claims, options)).toMatchObject({ ...user, ...prefix });
});

describe("refuses a token", () => {
  test.each<[string, () => Promise<string> | string, Partial<OidcOptions>, RegExp]>([
    ["for somebody else", () => sign({ aud: "them" }), {}, /"aud"/],
    ["of somebody else", () => sign({ iss: "https://elsewhere" }), {}, /"iss"/],
    ["that is over", () => sign({ exp: Math.floor(now / 1000) - 60 }), {}, /"exp"/],
    ["that never ends", () => sign({ exp: undefined }), {}, /"exp"/],
    ["that is not valid yet", () => sign({ nbf: Math.floor(now / 1000) + 60 }), {}, /"nbf"/],
    ["that nobody has signed", () => new UnsecuredJWT({ sub: "ann" }).setIssuer(issuer).encode(), {}, /oidc/],
    ["signed in another way", () => sign({}, key, "RS512"), {}, /"alg"/],
    ["signed by somebody else", async () => sign({}, { ...(await makeKey("first")), id: "first" }), {}, /signature/],
    ["without a name", () => sign({}), { usernameClaim: "email" }, /claim not present/],
    ["with an address that is not checked", () => sign({ email: "a@b", email_verified: false }), { usernameClaim: "email" }, /email not verified/],
    ["without a claim that it must have", () => sign({ hd: "x" }), { requiredClaims: { hd: "example.com" } }, /required claim hd/],
    ["with groups that are none", () => sign({ groups: [1] }), { groupsClaim: "groups" }, /parse groups claim/],
  ])("%s", async (_, token, options, message) => {
    await expect(open(options).verify(await token(), [TOKEN_ISSUER])).rejects.toMatchObject({
      reason: "Unauthorized",
      message: expect.stringMatching(message),
    });
  });

  test("when the issuer cannot prove who it is, or says that it is another", async () => {
    await expect(open({ ca: undefined }).verify(await sign(), [TOKEN_ISSUER])).rejects.toMatchObject({ reason: "Unauthorized" });
    discovery = { issuer: "https://other", jwks_uri: `${issuer}/keys` };
    await expect(open().verify(await sign(), [TOKEN_ISSUER])).rejects.toMatchObject({ reason: "Unauthorized" });
  });

  test("that is asked for by others than the API", async () => {
    await expect(open().verify(await sign(), ["vault"])).rejects.toMatchObject({ reason: "Unauthorized" });
  });
});

test("clocks may differ a little", async () => {
  expect(await userOf({ exp: Math.floor(now / 1000) - 5 })).toMatchObject({ username: `${issuer}#ann` });
});

test("new keys are found as soon as a token has one, but strangers cannot make us ask all the time", async () => {
  const tokens = open();
  await Promise.all(Array.from({ length: 5 }, async (_, n) => tokens.verify(await sign({ n }), [TOKEN_ISSUER])));
  expect(asked).toBe(1);
  const second = await makeKey("second");
  published = [second];
  now += 11_000;
  const unknown = await makeKey("unknown");
  await tokens.verify(await sign({}, second), [TOKEN_ISSUER]);
  expect(asked).toBe(2);
  for (let n = 0; n < 5; n++) await expect(tokens.verify(await sign({ n }, unknown), [TOKEN_ISSUER])).rejects.toThrow(/no applicable key/);
  expect(asked).toBe(2);
  // The first key is withdrawn.
  await expect(tokens.verify(await sign({ again: true }), [TOKEN_ISSUER])).rejects.toThrow(/no applicable key/);
});

test("keys are asked for again after an hour, and serve on while the issuer is away", async () => {
  const tokens = open();
  await tokens.verify(await sign({}), [TOKEN_ISSUER]);
  discovery = {};
  now += 61 * 60_000;
  expect((await tokens.verify(await sign({}), [TOKEN_ISSUER])).user.username).toBe(`${issuer}#ann`);
  discovery = { issuer, jwks_uri: `${issuer}/keys` };
  now += 11_000;
  await tokens.verify(await sign({ more: 1 }), [TOKEN_ISSUER]);
  expect(asked).toBe(2);
});

test("a cluster lets people in by their tokens, and says of them who they are", async () => {
  await using cluster = await startCluster({
    mode: "api-server",
    oidc: { issuer, clientIds: ["sluice"], ca: pki.authority, usernamePrefix: "oidc:", groupsClaim: "groups", groupsPrefix: "oidc:" },
  });
  const token = await sign({ groups: ["dev"] });
  const { clientCertificate: _certificate, clientKey: _key, ...access } = await loadKubeconfig(cluster.kubeconfigPath);
  using transport = createHttpsTransport({ ...access, token: async () => token });
  const self = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const { status } = await createClient(transport).request<SelfSubjectReview>({
    method: "POST",
    path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    body: self,
  });
  expect(status?.userInfo).toMatchObject({ username: "oidc:ann", groups: ["oidc:dev", "system:authenticated"] });

  const admin = cluster.client({ username: "root", groups: ["system:masters"] });
  const review = async (spec: object): Promise<TokenReview["status"]> => {
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec };
    return (await admin.request<TokenReview>({ method: "POST", path: "/apis/authentication.k8s.io/v1/tokenreviews", body })).status;
  };
  expect(await review({ token })).toMatchObject({ authenticated: true, user: { username: "oidc:ann" }, audiences: [TOKEN_ISSUER] });
  expect((await review({ token: await sign({ aud: "them" }) }))?.error).toMatch(/^\[invalid bearer token, oidc: verify token/u);
  expect((await review({ token, audiences: ["vault"] }))?.authenticated).toBeUndefined();
});

test.each<[string, Partial<OidcOptions>, RegExp]>([
  ["an issuer without TLS", { issuer: "http://x" }, /no https URL/],
  ["tokens for nobody", { clientIds: [] }, /must be for somebody/],
  ["shared secrets", { signingAlgorithms: ["HS256"] }, /cannot be signed by HS256/],
])("will not work with %s", (_, options, message) => expect(() => open(options)).toThrow(message));
