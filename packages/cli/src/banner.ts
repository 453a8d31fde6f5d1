import { styleText } from "node:util";
import type { Platform, StandaloneCluster } from "@sluice/platform";

/** What the banner tells besides the platform's own facts. */
export interface BannerOptions {
  readonly version: string;
  readonly readyMs: number;
  readonly color: boolean;
}

/** The five lines that `sluice up` prints. */
export function renderBanner(
  { url, apiUrl, kubeconfigPath, config }: Pick<Platform, "url" | "apiUrl" | "kubeconfigPath" | "config">,
  options: BannerOptions,
): string {
  return banner("Sluice", options, [
    ["dashboard", url],
    ["APIs", `${url}/apis/v2beta1 (pipelines), ${apiUrl} (Kubernetes)`],
    ["kubeconfig", `export KUBECONFIG=${kubeconfigPath}`],
    ["data", placeOf(config)],
  ]);
}

/** The four lines that `sluice cluster` prints. */
export function renderClusterBanner(
  { url, kubeconfigPath, config }: Pick<StandaloneCluster, "url" | "kubeconfigPath" | "config">,
  options: BannerOptions,
): string {
  return banner("Sluice's cluster", options, [
    ["API", url],
    ["kubeconfig", `export KUBECONFIG=${kubeconfigPath}`],
    ["data", placeOf(config)],
  ]);
}

function placeOf({ dataDir, log }: Platform["config"]): string {
  return `${dataDir}${log === "file" ? " (log: sluice.log)" : ""}`;
}

function banner(
  what: string,
  { version, readyMs, color }: BannerOptions,
  [first, ...others]: readonly (readonly [name: string, value: string])[],
): string {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string => (color ? styleText(style, text, { validateStream: false }) : text);
  const line = ([name, value]: readonly [string, string]): string => `  ${paint("dim", name.padEnd(11))} ${value}\n`;
  return [
    `${paint("bold", `${what} ${version}`)} ready in ${Math.round(readyMs)} ms\n`,
    first === undefined ? "" : line([first[0], paint("cyan", first[1])]),
    ...others.map(line),
  ].join("");
}
