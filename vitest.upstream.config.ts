import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Upstream's own controllers against our API server: needs Linux, root, Go, kubectl, crun or bubblewrap, iproute2. */
const config: ViteUserConfig = defineConfig({
  test: { include: ["upstream/*.upstream-test.ts"], testTimeout: 180_000, hookTimeout: 900_000, maxWorkers: 1 },
});
export default config;
