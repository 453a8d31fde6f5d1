import { join, normalize } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { objectUri, parseObjectUri, parseStoredUri } from "./object-uri.ts";

test.each([
  ["minio://b/k", "minio://b", "k"],
  ["s3://my.bucket-1/a/b c/ü%2f?#", "s3://my.bucket-1", "a/b c/ü%2f?#"],
  ["gs://b/dir///", "gs://b", "dir"],
  ["minio://b", "minio://b", ""],
  ["minio://b/", "minio://b", ""],
  ["minio://b/...", "minio://b", "..."],
])("%s is read", (uri, bucket, key) => {
  expect(parseObjectUri(uri)).toEqual({ bucket, key });
});

test.each([
  ["https://b/k", "does not start with"],
  ["/etc/passwd", "does not start with"],
  ["", "does not start with"],
  ["minio:///k", '"" cannot be a bucket'],
  ["minio://../k", '".." cannot be a bucket'],
  ["minio://a b/k", "cannot be a bucket"],
  ["minio://b/../k", '".." as a part'],
  ["minio://b/a/..", '".." as a part'],
  ["minio://b/./k", '"." as a part'],
  ["minio://b/a/%2e%2E/k", '"%2e%2E" as a part'],
  ["minio://b/.%2e", '".%2e" as a part'],
  ["minio://b//k", "an empty part"],
  ["minio://b/a//k", "an empty part"],
  ["minio://b/a\0", "a NUL character"],
  ["minio://b/\ud800", "not well-formed"],
  [`minio://b/${"a".repeat(256)}`, "longer than 255 bytes"],
  [`minio://b/${"ü".repeat(128)}`, "longer than 255 bytes"],
  [`minio://b/${"a/".repeat(600)}a`, "longer than 1024 bytes"],
])("%j is refused", (uri, why) => {
  expect(() => parseObjectUri(uri)).toThrow(expect.objectContaining({ reason: "BadRequest", message: expect.stringContaining(why) }));
});

test("a bucket is no object", () => {
  expect(() => parseStoredUri("minio://b/")).toThrow(/names a bucket and no object/u);
});

test("what is accepted has one form, and stays below any directory as a path", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "%2e", "a", "\0", "b c"), fc.string({ maxLength: 5, unit: "binary" }));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      let address;
      try {
        address = parseStoredUri(`minio://b/${parts.join("/")}`);
      } catch {
        return;
      }
      const uri = objectUri(address.bucket, address.key);
      expect(parseObjectUri(uri)).toEqual(address);
      expect(normalize(join("/store", address.key))).toBe(`/store/${address.key}`);
    }),
    { numRuns: 2000 },
  );
});
