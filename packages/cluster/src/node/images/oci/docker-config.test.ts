import fc from "fast-check";
import { expect, test } from "vitest";
import { readDockerConfig } from "./docker-config.ts";

const auth = (user: string): string => Buffer.from(`${user}:secret:1`).toString("base64");
const usersFor = (auths: unknown, repository: string): readonly string[] =>
  readDockerConfig(JSON.stringify(auths))(repository).map(({ username }) => username);

test("the logins of a repository are found by its registry, the most fitting first", () => {
  const auths = {
    "https://index.docker.io/v1/": { auth: auth("hub") },
    "ghcr.io": { username: "plain", password: "secret" },
    "ghcr.io/team": { auth: auth("team") },
    "*.example.org": { auth: auth("any") },
    "http://127.0.0.1:5000/": { auth: auth("local") },
  };
  expect(usersFor({ auths }, "docker.io/library/busybox")).toEqual(["hub"]);
  expect(usersFor({ auths }, "ghcr.io/team/app")).toEqual(["team", "plain"]);
  expect(usersFor({ auths }, "ghcr.io/teams/app")).toEqual(["plain"]);
  expect(usersFor({ auths }, "eu.example.org/app")).toEqual(["any"]);
  expect(usersFor({ auths }, "a.b.example.org/app")).toEqual([]);
  expect(usersFor(auths, "127.0.0.1:5000/a")).toEqual(["local"]);
  expect(readDockerConfig(JSON.stringify({ auths }))("ghcr.io/team/app")[0]).toEqual({ username: "team", password: "secret:1" });
});

test("what is no file of logins holds none", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), fc.string(), (text, repository) => {
      expect(Array.isArray(readDockerConfig(text)(repository))).toBe(true);
    }),
  );
  expect(usersFor({ auths: { a: null, b: 3, c: {}, d: { auth: 7 } } }, "a")).toEqual([]);
});
