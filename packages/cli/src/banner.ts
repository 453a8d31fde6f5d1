import { styleText } from "node:util";
import type { Platform } from "@sluice/platform";

/** What the banner tells besides the platform's own facts. */
export interface BannerOptions {
  readonly version: string;
  readonly readyMs: number;
  readonly color: boolean;
}

/** The five lines that `sluice up` prints. */
export function renderBanner(
  platform: Pick<Platform, "url" | "apiUrl" | "kubeconfigPath" | "config">,
  { version, readyMs, color }: BannerOptions,
): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string => (color ? styleText(style, text, { validateStream: false }) : text);
  const line = (name: string, value: string): string => `  ${paint("dim", name.padEnd(11))} ${value}\n`;
  const { url, apiUrl, kubeconfigPath, config } = platform;
  return [
    `${paint("bold", `Sluice ${version}`)} ready in ${Math.round(readyMs)} ms\n`,
    line("dashboard", paint("cyan", url)),
    line("APIs", `${url}/apis/v2beta1 (pipelines), ${apiUrl} (Kubernetes)`),
    line("kubeconfig", `export KUBECONFIG=${kubeconfigPath}`),
    line("data", `${config.dataDir}${config.log === "file" ? " (log: sluice.log)" : ""}`),
  ].join("");
}
