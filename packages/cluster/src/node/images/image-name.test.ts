import { expect, test } from "vitest";
import { parseImageName } from "./image-name.ts";

const digest = `sha256:${"a1".repeat(32)}`;

test.each([
  ["python", { registry: "docker.io", repository: "python" }],
  ["python:3.11-slim", { registry: "docker.io", repository: "python", tag: "3.11-slim" }],
  ["docker.io/library/python:3.11", { registry: "docker.io", repository: "python", tag: "3.11" }],
  ["index.docker.io/library/busybox", { registry: "docker.io", repository: "busybox" }],
  ["localhost:5000/a/b_c/d--e:v1", { registry: "localhost:5000", repository: "a/b_c/d--e", tag: "v1" }],
  ["localhost/a", { registry: "localhost", repository: "a" }],
  ["registry.example.com/python:3.9", { registry: "registry.example.com", repository: "python", tag: "3.9" }],
  [`ghcr.io/a/b:1@${digest}`, { registry: "ghcr.io", repository: "a/b", tag: "1", digest }],
  ["a/b", { registry: "docker.io", repository: "a/b" }],
])("%s is an image name", (image, expected) => {
  expect(parseImageName(image)).toEqual(expected);
});

test.each(["", " ", "Python", "a//b", "a:", "a:b:c", "a@sha256:12", "/a", "a/", "a b", `${"x".repeat(300)}`, "python:3.11 ", "http://x/y"])(
  "%j is not",
  (image) => {
    expect(parseImageName(image)).toBeUndefined();
  },
);
