import { expect, test } from "vitest";
import { parseImageName } from "./image-name.ts";
import { chooseProfile, commandLine } from "./profiles.ts";
import { choosePython, type PythonInterpreter } from "./python/interpreters.ts";

test.each([
  ["python:3.11-slim", "python", "3.11"],
  ["python", "python", undefined],
  ["registry.example.com/mirror/python:3.9", "python", "3.9"],
  ["registry.access.redhat.com/ubi9/python-311:latest", "python", "3.11"],
  ["node:24-alpine", "node", "24"],
  ["registry.access.redhat.com/ubi9/nodejs-22", "node", "22"],
  ["alpine:3.20", "shell", undefined],
  ["busybox", "shell", undefined],
  ["debian:bookworm-slim", "shell", undefined],
  ["ubuntu:24.04", "shell", undefined],
  ["bash", "shell", undefined],
  ["pytorch/pytorch:2.5", undefined, undefined],
  ["tensorflow/python-serving", undefined, undefined],
])("%s", (image, kind, version) => {
  const name = parseImageName(image);
  const profile = name === undefined ? undefined : chooseProfile(name);
  expect([profile?.kind, profile?.version]).toEqual([kind, version]);
});

const interpreter = (version: PythonInterpreter["version"], hasPip = true): PythonInterpreter => ({
  program: `/python${version.join(".")}`,
  prefix: "/",
  version,
  hasPip,
});

test.each([
  ["3.11", "/python3.11.7"],
  ["3.10", "/python3.11.7"],
  ["3.14", "/python3.13.1"],
  ["3.7", "/python3.7.9"],
  ["3.8", "/python3.9.1"],
  [undefined, "/python3.13.1"],
  ["3", "/python3.13.1"],
])("Python for %s", (version, program) => {
  const all = [
    [3, 7, 9],
    [3, 9, 1],
    [3, 11, 2],
    [3, 11, 7],
    [3, 13, 1],
    [2, 7, 1],
  ].map(([major = 0, minor = 0, patch = 0]) => interpreter([major, minor, patch]));
  expect(choosePython([...all, interpreter([3, 14, 0], false)], version)?.program).toBe(program);
});

test("a Python too old for kfp is taken only when asked for", () => {
  expect(choosePython([interpreter([3, 6, 1])], "3.11")).toBeUndefined();
  expect(choosePython([interpreter([3, 6, 1])], "3.6")?.program).toBe("/python3.6.1");
});

test("a container's words go before the image's", () => {
  const node = { kind: "node", defaultCommand: ["node"] } as const;
  expect(commandLine(node)).toEqual(["node"]);
  expect(commandLine(node, [], ["-e", "1"])).toEqual(["node", "-e", "1"]);
  expect(commandLine(node, [], ["server.mjs"])).toEqual(["node", "server.mjs"]);
  expect(commandLine(node, [], ["npm", "start"])).toEqual(["npm", "start"]);
  expect(commandLine(node, ["sh", "-c"], ["x"])).toEqual(["sh", "-c", "x"]);
  expect(commandLine({ kind: "shell", defaultCommand: ["sh"] }, [], ["-c", "x"])).toEqual(["-c", "x"]);
});
