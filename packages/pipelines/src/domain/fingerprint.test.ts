import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { type CacheKey, fingerprint, fingerprintOfCustomKey } from "./fingerprint.ts";

const same = (text: string): string => text;
const base: CacheKey = {
  container: { image: "alpine", command: ["sh"], args: ["-c", "a<b"], pvcNames: ["b", "a", "b"] },
  inputArtifacts: { ds: ["17"] },
  inputParameters: { z: 1, a: { y: [], x: null } },
  outputArtifacts: { model: { type: { schemaTitle: "system.Model" }, metadata: {} } },
  outputParameters: { Output: "STRING" },
};

test("the key is sorted, escaped and without empty fields", () => {
  expect(fingerprint(base, same)).toBe(
    '{"containerSpec":{"cmdArgs":["sh","-c","a\\u003cb"],"image":"alpine","pvcNames":["a","b"]},' +
      '"inputArtifactNames":{"ds":{"artifactNames":["17"]}},"inputParameterValues":{"a":{"x":null,"y":[]},"z":1},' +
      '"outputArtifactsSpec":{"model":{"name":"model","type":{"schemaTitle":"system.Model"}}},' +
      '"outputParametersSpec":{"Output":"STRING"}}',
  );
  expect(fingerprint({ container: { image: "i", command: [], args: [] } }, same)).toBe('{"containerSpec":{"image":"i"}}');
});

test("the order of keys does not matter, values do", () => {
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  const reordered = { ...base, inputParameters: { a: { x: null, y: [] }, z: 1 } };
  expect(fingerprint(reordered, sha256)).toBe(fingerprint(base, sha256));
  expect(fingerprint({ ...base, inputParameters: { z: "1" } }, sha256)).not.toBe(fingerprint(base, sha256));
  expect(fingerprint(base, sha256)).toMatch(/^[0-9a-f]{64}$/);
});

test("a custom key replaces everything else", () => {
  expect(fingerprintOfCustomKey("comp-x", "k", same)).toBe("comp-x\u0000k");
});
