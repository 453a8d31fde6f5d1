import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalUri, isWithin } from "./canonical-uri.ts";

test.each([
  ["minio://b/k", "minio", "minio://b/k"],
  ["MINIO://b/k///", "minio", "minio://b/k"],
  ["S3a://b/k", "s3", "s3://b/k"],
  ["s3n://b", "s3", "s3://b"],
  ["gcs://b/a b/ü", "gs", "gs://b/a b/ü"],
  ["gs://b/100%/50%25", "gs", "gs://b/100%/50%25"],
  ["HTTPS://Example.com:443/a/../b?x=1#top", "https", "https://example.com/b?x=1"],
  ["http://h/%2e%2e/b", "http", "http://h/b"],
  ["oci://registry:5000/models/a:1", "oci", "oci://registry:5000/models/a:1"],
  ["/data/set/", "file", "file:///data/set"],
  ["file:///data/set", "file", "file:///data/set"],
])("%s has one form", (uri, scheme, canonical) => {
  expect(canonicalUri(uri)).toEqual({ scheme, uri: canonical });
  expect(canonicalUri(canonical).uri).toBe(canonical);
});

test.each([
  ["", "it starts with none of"],
  ["b/k", "it starts with none of"],
  ["ftp://h/f", "it starts with none of"],
  ["javascript://h", "it starts with none of"],
  ["minio:/b/k", "it starts with none of"],
  ["minio://b/../k", '".."'],
  ["minio://b/a/%2e%2e/k", '"%2e%2e"'],
  ["minio://b/a/.%2E/k", '".%2E"'],
  ["minio://b/a/%252e%252e/k", '"%252e%252e"'],
  ["minio://b/a/%25252e%25252e/k", '"%25252e%25252e"'],
  ["minio://b/..%2fk", '"..%2fk"'],
  ["minio://b/a%5c..%5ck", "a backslash"],
  ["minio://b/a\\..\\k", "a backslash"],
  ["minio://b/a%00k", "a control character"],
  ["minio://b//k", "an empty part"],
  ["minio://../k", '".." cannot be a bucket'],
  ["file://host/etc/passwd", "three slashes"],
  ["file:///a/../etc/passwd", '".."'],
  ["/a//b", "an empty part"],
  ["/", "the root of the file system"],
  ["https://user:secret@h/f", "password"],
  ["https://h\\@evil/f", "a backslash"],
  ["oci://a/../b", '".."'],
  ["oci://a b", "not the name of an image"],
])("%j is refused", (uri, why) => {
  expect(() => canonicalUri(uri)).toThrow(expect.objectContaining({ reason: "BadRequest", message: expect.stringContaining(why) }));
});

test("what is below an address stays below it, however it is read", () => {
  const part = fc.constantFrom("..", ".", "", "%2e", "%2E%2e", "%252e", "a", "b", "%2f", "\\", "%5c", "ü", " ", "\0", "%");
  const scheme = fc.constantFrom("minio://", "S3://", "gcs://", "file:///", "/", "minio:/", "MINIO://");
  const home = "minio://b/run/task";
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  fc.assert(
    fc.property(scheme, fc.array(part, { maxLength: 6 }), (start, parts) => {
      let uri;
      try {
        ({ uri } = canonicalUri(`${start}b/run/task/${parts.join("/")}`));
      } catch {
        return;
      }
      expect(canonicalUri(uri).uri).toBe(uri);
      for (let read = uri, count = 0; count < 4; count++, read = decode(read)) {
        // As a URL, as a path, and as Windows would read it.
        const path = new URL(read.replaceAll("\\", "/").replace(/^[a-z0-9]+:\/\//u, "http://h/")).pathname;
        expect(path.startsWith(uri.startsWith("file:") ? "//b/run/task" : "/b/run/task")).toBe(true);
      }
      if (uri.startsWith("minio:")) expect(isWithin(uri, home)).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

test("a name that starts alike is not below", () => {
  expect(isWithin("minio://b/run-2", "minio://b/run")).toBe(false);
  expect(isWithin("minio://b/run", "minio://b/run")).toBe(true);
});
