import type { Component } from "@sluice/component";
import { UserError } from "@sluice/kubernetes";
import type { Config } from "./config.ts";

/** Every component there is; what is switched off is not even loaded. */
const COMPONENTS: Readonly<Record<string, (config: Config) => Promise<Component>>> = {
  pipelines: async ({ artifacts }) => {
    const { pipelinesComponent } = await import("@sluice/pipelines");
    // The embedded node has no image volumes, and would wait for one for ever.
    return pipelinesComponent({ pods: { hasImageVolumes: false }, ...(artifacts === undefined ? {} : { artifacts }) });
  },
};

/** Loads the components that the configuration names, or all. */
export async function loadComponents(config: Config): Promise<Component[]> {
  const names = config.components ?? Object.keys(COMPONENTS);
  const unknown = names.filter((name) => !Object.hasOwn(COMPONENTS, name));
  if (unknown.length > 0) {
    throw new UserError(`there is no component ${unknown.join(", ")}`, { fix: `--components takes some of: ${Object.keys(COMPONENTS).join(", ")}` });
  }
  return Promise.all([...new Set(names)].flatMap((name) => COMPONENTS[name]?.(config) ?? []));
}
