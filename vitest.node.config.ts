import { defineConfig, type ViteUserConfig } from "vitest/config";

/** What needs Linux, root, bubblewrap, iproute2 or Python: tests fail with the command that installs what is absent. */
const config: ViteUserConfig = defineConfig({
  test: { include: ["packages/*/src/**/*.node-test.ts"], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2 },
});
export default config;
