import fc from "fast-check";
import { expect, test } from "vitest";
import { parseChallenges } from "./challenge.ts";

test("the challenges of registries are read", () => {
  expect(parseChallenges('Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"')).toEqual([
    { scheme: "bearer", parameters: { realm: "https://auth.docker.io/token", service: "registry.docker.io", scope: "repository:a/b:pull,push" } },
  ]);
  expect(parseChallenges('Basic realm="a \\"b\\"", Negotiate, BEARER Realm=x')).toEqual([
    { scheme: "basic", parameters: { realm: 'a "b"' } },
    { scheme: "negotiate", parameters: {} },
    { scheme: "bearer", parameters: { realm: "x" } },
  ]);
  expect(parseChallenges("")).toEqual([]);
});

test("any header is read to an end", () => {
  fc.assert(fc.property(fc.string(), (header) => parseChallenges(header).every(({ scheme }) => scheme !== "")));
});
