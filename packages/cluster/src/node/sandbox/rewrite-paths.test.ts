import fc from "fast-check";
import { expect, test } from "vitest";
import { pathRewriter, sourceOf } from "./rewrite-paths.ts";

const mounts = [
  { source: "/host/tmp", target: "/tmp", readOnly: false },
  { source: "/host/outputs", target: "/tmp/kfp/outputs", readOnly: false },
  { source: "/host/minio", target: "/minio", readOnly: false },
  { source: "/tmp/here/environment", target: "/tmp/here/environment", readOnly: true },
];

test.each([
  ["/minio", "/host/minio"],
  ["/minio/a/b", "/host/minio/a/b"],
  ["--out=/minio/a", "--out=/host/minio/a"],
  ['{"path":"/minio/a","uri":"minio://minio/a"}', '{"path":"/host/minio/a","uri":"minio://minio/a"}'],
  ["/usr/bin:/minio/bin:/bin", "/usr/bin:/host/minio/bin:/bin"],
  ["cat '/tmp/kfp/outputs/x' > /tmp/y", "cat '/host/outputs/x' > /host/tmp/y"],
  ["/tmp/here/environment/bin", "/tmp/here/environment/bin"],
  ["/tmp/here", "/host/tmp/here"],
  ["/miniox /minio-2 /minio.bak /x/minio ${HOME}/minio $HOME/minio s3://minio ../minio", undefined],
  ["https://example.com/minio/x", undefined],
])("rewrites %s", (text, expected) => {
  expect(pathRewriter(mounts)(text)).toBe(expected ?? text);
});

test("text without a target stays as it is, and every target alone becomes its source", () => {
  const rewrite = pathRewriter(mounts);
  fc.assert(
    fc.property(
      fc.string().filter((text) => !/tmp|minio/.test(text)),
      (text) => rewrite(text) === text,
    ),
  );
  fc.assert(
    fc.property(fc.constantFrom(...mounts), fc.stringMatching(/^(\/[a-z]+){0,3}$/), ({ source, target }, rest) => {
      fc.pre(sourceOf(mounts, target + rest) === source + rest);
      return rewrite(` ${target}${rest} `) === ` ${source}${rest} `;
    }),
  );
});

test("the last of two mounts at one path counts", () => {
  const twice = [...mounts, { source: "/host/other", target: "/minio", readOnly: false }];
  expect(pathRewriter(twice)("/minio/x")).toBe("/host/other/x");
  expect(sourceOf(twice, "/minio/x")).toBe("/host/other/x");
  expect(sourceOf(twice, "/elsewhere")).toBeUndefined();
});
