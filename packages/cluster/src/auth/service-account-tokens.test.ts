import { generateKeyPairSync, randomUUID, type KeyObject } from "node:crypto";
import type { UnknownObject } from "@sluice/kubernetes";
import { SignJWT, UnsecuredJWT } from "jose";
import { beforeEach, expect, test } from "vitest";
import { ServiceAccountTokens, TOKEN_ISSUER, type TokenSubject } from "./service-account-tokens.ts";

let now: number;
let objects: Map<string, UnknownObject>;
let key: KeyObject;
let tokens: ServiceAccountTokens;

const account = { namespace: "team", name: "runner", uid: "u1" };
const subject: TokenSubject = { account, bound: { kind: "Pod", name: "p", uid: "u2" } };
const user = {
  username: "system:serviceaccount:team:runner",
  uid: "u1",
  groups: ["system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"],
};

beforeEach(() => {
  now = 1_800_000_000_000;
  objects = new Map();
  put("serviceaccounts/team/runner", "u1");
  put("pods/team/p", "u2");
  key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  tokens = make(key);
});

function put(path: string, uid: string): void {
  objects.set(path, { apiVersion: "v1", kind: "Thing", metadata: { name: "x", uid } });
}
function make(privateKey: KeyObject): ServiceAccountTokens {
  return new ServiceAccountTokens({
    key: privateKey,
    find: (table, { namespace = "", name }) => objects.get(`${table}/${namespace}/${name}`),
    clock: { now: () => now, sleep: async () => {} },
    newId: randomUUID,
  });
}
const issue = async (of: TokenSubject = subject, audiences = [TOKEN_ISSUER]): Promise<string> =>
  (await tokens.issue(of, { audiences, seconds: 600 })).token;
const sign = (claims: object, privateKey = key): Promise<string> =>
  new SignJWT({ ...claims })
    .setProtectedHeader({ alg: "ES256" })
    .setIssuer(TOKEN_ISSUER)
    .setAudience(TOKEN_ISSUER)
    .setSubject(user.username)
    .setNotBefore(0)
    .setExpirationTime(2_000_000_000)
    .sign(privateKey);

test("a token speaks for its account, and says which pod it is for", async () => {
  const { token, expires } = await tokens.issue(subject, { audiences: [TOKEN_ISSUER, "other"], seconds: 600 });
  expect(expires).toBe(now + 600_000);
  const pod = {
    "authentication.kubernetes.io/pod-name": ["p"],
    "authentication.kubernetes.io/pod-uid": ["u2"],
    "authentication.kubernetes.io/credential-id": [expect.stringMatching(/^JTI=/)],
  };
  expect(await tokens.verify(token, ["other", "third"])).toEqual({ user: { ...user, extra: pod }, audiences: ["other"] });
  expect((await make(key).verify(token, [TOKEN_ISSUER])).user.username).toBe(user.username);
});

test.each<[string, () => Promise<string>, () => void, RegExp]>([
  ["expired", () => issue(), () => (now += 601_000), /expired|"exp" claim/],
  ["for somebody else", () => issue(subject, ["other"]), () => {}, /audiences/],
  ["of an account that is gone", () => issue(), () => objects.delete("serviceaccounts/team/runner"), /invalidated/],
  ["of an account that is another now", () => issue(), () => put("serviceaccounts/team/runner", "u3"), /invalidated/],
  ["of a pod that is gone", () => issue(), () => objects.delete("pods/team/p"), /invalidated/],
  ["signed by somebody else", () => sign({}, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey), () => {}, /signature/],
  ["without a signature", async () => new UnsecuredJWT({}).setIssuer(TOKEN_ISSUER).encode(), () => {}, /alg/i],
  ["without an account", () => sign({}), () => {}, /whom it is for/],
  [
    "for another user than its account",
    () => sign({ "kubernetes.io": { namespace: "other", serviceaccount: { name: "runner", uid: "u1" } } }),
    () => {},
    /whom it is for/,
  ],
  ["no token at all", async () => "x.y.z", () => {}, /./],
])("refuses one that is %s, seen before or not", async (_, token, change, why) => {
  const text = await token();
  await tokens.verify(text, [TOKEN_ISSUER]).catch(() => undefined);
  change();
  for (const one of [tokens, make(key)]) {
    await expect(one.verify(text, [TOKEN_ISSUER])).rejects.toMatchObject({ reason: "Unauthorized", message: expect.stringMatching(why) });
  }
});

test("a token tells where its pod runs, and what it is bound to may end well", async () => {
  const node = { name: "n", uid: "u9" };
  const { extra } = (await tokens.verify(await issue({ ...subject, node }), [TOKEN_ISSUER])).user;
  expect(extra).toMatchObject({ "authentication.kubernetes.io/node-name": ["n"], "authentication.kubernetes.io/node-uid": ["u9"] });

  const token = (await tokens.issue(subject, { audiences: [TOKEN_ISSUER], seconds: 600 })).token;
  const deletionTimestamp = new Date(now).toISOString();
  objects.set("pods/team/p", { apiVersion: "v1", kind: "Pod", metadata: { name: "p", uid: "u2", deletionTimestamp } });
  now += 59_000;
  await tokens.verify(token, [TOKEN_ISSUER]);
  now += 2000;
  await expect(tokens.verify(token, [TOKEN_ISSUER])).rejects.toThrow(/invalidated/);
});

test("publishes only the public half of its key", async () => {
  const { keys } = await tokens.publicKeys();
  expect(keys).toEqual([
    { kty: "EC", crv: "P-256", x: expect.any(String), y: expect.any(String), use: "sig", alg: "ES256", kid: expect.any(String) },
  ]);
});
