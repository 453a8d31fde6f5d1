import react from "@vitejs/plugin-react";
import { defineConfig, type UserConfig } from "vite";

/** Where `npm run dev:dashboard` finds a server. */
const SERVER = process.env["SLUICE_HOST"] ?? "http://127.0.0.1:8080";

const config: UserConfig = defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  // The gateway's policy forbids data: fonts and inline scripts nobody needs; small images stay files of their own.
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2023",
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: { host: "127.0.0.1", proxy: Object.fromEntries(["/apis", "/healthz", "/k8s"].map((path) => [path, { target: SERVER }])) },
});
export default config;
