import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: { include: ["packages/*/src/**/*.browser.ts"], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 1 },
});
export default config;
