import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: { include: ["packages/*/src/**/*.test.{ts,tsx}", "examples/*/src/**/*.test.ts"], testTimeout: 20_000, maxWorkers: 2 },
});
export default config;
