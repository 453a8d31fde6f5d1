import { defineConfig, type ViteUserConfig } from "vitest/config";

/** `@kubernetes/client-node` against the Sluice that `clients/run.ts` has started. */
const config: ViteUserConfig = defineConfig({
  test: { include: ["clients/**/*.client-test.ts"], testTimeout: 120_000, hookTimeout: 60_000 },
});
export default config;
