import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readConfig } from "./config.ts";
import { pipelinesOptionsOf } from "./pipelines-config.ts";

const dataDir = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => rmSync(dataDir, { recursive: true }));
const read = (yaml: string): ReturnType<typeof readConfig> => {
  writeFileSync(join(dataDir, "sluice.yaml"), yaml);
  return readConfig({ dataDir }, {});
};

test("what pipelines share and keep is configured in words", async () => {
  const { pipelines = {} } = await read(`
pipelines:
  cache: { scope: namespace, maxAge: 30d, check: digest }
  lifecycle: { archiveAfter: 90d, deleteAfter: P1D, artifacts: keep, podsKept: 1h, namespaces: { team: { archiveAfter: 12h } } }
`);
  expect(pipelinesOptionsOf({ pipelines: pipelines })).toEqual({
    isCacheEnabled: true,
    cacheMaxAgeMs: 30 * 86_400_000,
    cache: { scope: "namespace", check: "digest" },
    lifecycle: {
      ...{ archiveAfterMs: 90 * 86_400_000, deleteAfterMs: 86_400_000, artifacts: "keep", podsKeptMs: 3_600_000 },
      namespaces: { team: { archiveAfterMs: 12 * 3_600_000 } },
    },
  });
});

test.each([
  ["pipelines: { cache: { maxAge: soon } }", /"soon" is not a duration/u],
  ["pipelines: { cache: { scop: pipeline } }", /scop/u],
  ["pipelines: { lifecycle: { artifacts: burn } }", /delete/u],
])("%s is refused", async (yaml, message) => {
  await expect(read(yaml)).rejects.toThrow(message);
});
