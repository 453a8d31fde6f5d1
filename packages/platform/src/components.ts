import type { Component } from "@sluice/component";
import { UserError } from "@sluice/kubernetes";

/** Every component there is; what is switched off is not even loaded. */
const COMPONENTS: Readonly<Record<string, () => Promise<Component>>> = {
  pipelines: async () => (await import("@sluice/pipelines")).pipelines,
};

/** Loads the components of these names, or all. */
export async function loadComponents(names: readonly string[] = Object.keys(COMPONENTS)): Promise<Component[]> {
  const unknown = names.filter((name) => !Object.hasOwn(COMPONENTS, name));
  if (unknown.length > 0) {
    throw new UserError(`there is no component ${unknown.join(", ")}`, { fix: `--components takes some of: ${Object.keys(COMPONENTS).join(", ")}` });
  }
  return Promise.all([...new Set(names)].flatMap((name) => COMPONENTS[name]?.() ?? []));
}
