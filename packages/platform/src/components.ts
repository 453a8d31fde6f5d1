import type { Component } from "@sluice/component";
import { UserError } from "@sluice/kubernetes";
import type { Config } from "./config.ts";
import { pipelinesOptionsOf } from "./pipelines-config.ts";

/** Every component there is; what is switched off is not even loaded. */
const COMPONENTS: Readonly<Record<string, (config: Pick<Config, "pipelines">) => Promise<Component>>> = {
  pipelines: async ({ pipelines = {} }) => (await import("@sluice/pipelines")).pipelinesComponent(pipelinesOptionsOf(pipelines)),
};

/** Loads the components that the configuration names, or all. */
export async function loadComponents(config: Pick<Config, "components" | "pipelines">): Promise<Component[]> {
  const { components: names = Object.keys(COMPONENTS) } = config;
  const unknown = names.filter((name) => !Object.hasOwn(COMPONENTS, name));
  if (unknown.length > 0) {
    throw new UserError(`there is no component ${unknown.join(", ")}`, { fix: `--components takes some of: ${Object.keys(COMPONENTS).join(", ")}` });
  }
  return Promise.all([...new Set(names)].flatMap((name) => COMPONENTS[name]?.(config) ?? []));
}
