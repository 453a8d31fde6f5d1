import type { Value } from "./graph.ts";
import type { Resources, Retry } from "./task-options.ts";
import type { PortType } from "./types.ts";
import type { Edge, Tree } from "./wiring.ts";

/** An input of a task: its name, its type, and where its value comes from. */
export type Wired = readonly [key: string, type: PortType, source: Tree];

/** Parameters and artifacts apart, or nothing at all. */
function grouped(values: Iterable<readonly [string, PortType, Tree]>): Tree | undefined {
  const found: Record<string, Tree> = {};
  for (const [key, type, value] of values) (found[type.kind === "artifact" ? "artifacts" : "parameters"] ??= {})[key] = value;
  return Object.keys(found).length === 0 ? undefined : found;
}

/** A component's declared inputs or outputs; only what callers may leave out has a default. */
export function definitions(
  what: "inputDefinitions" | "outputDefinitions",
  ports: Iterable<readonly [string, PortType]>,
  withDefaults: boolean,
): Tree {
  const found = grouped([...ports].map(([key, type]) => [key, type, definition(type, withDefaults)]));
  return found === undefined ? {} : { [what]: found };
}

function definition(type: PortType, withDefaults: boolean): Tree {
  const told = type.description === undefined ? {} : { description: type.description };
  if (type.kind === "artifact") {
    const artifactType = { schemaTitle: type.schemaTitle, schemaVersion: "0.0.1" };
    const isOptional = withDefaults && type.optional;
    return { artifactType, ...(type.list ? { isArtifactList: true } : {}), ...(isOptional ? { isOptional } : {}), ...told };
  }
  const { parameterType, defaultValue, optional, literals } = type;
  if (!withDefaults) return { parameterType, ...told };
  const given = defaultValue === undefined ? {} : { defaultValue };
  return { parameterType, ...given, ...(optional ? { isOptional: true } : {}), ...(literals === undefined ? {} : { literals }), ...told };
}

/** A task's inputs. */
export function inputsOf(wired: Iterable<Wired>): Tree {
  const inputs = grouped(wired);
  return inputs === undefined ? {} : { inputs };
}

/** A graph's outputs. */
export function outputsOf(leaving: Edge["outputs"]): Tree {
  const outputs = grouped(
    [...leaving].map(([name, { type, selectors }]) => {
      if (type.kind === "artifact") {
        return [name, type, { artifactSelectors: selectors.map(({ producer, key }) => ({ outputArtifactKey: key, producerSubtask: producer })) }];
      }
      const all = selectors.map(({ producer, key }) => ({ outputParameterKey: key, producerSubtask: producer }));
      return [name, type, all.length === 1 ? { valueFromParameter: all[0] } : { valueFromOneof: { parameterSelectors: all } }];
    }),
  );
  return outputs === undefined ? {} : { outputs };
}

/** What a task waits for. */
export function dependencies(names: ReadonlySet<string>): Tree {
  return names.size === 0 ? {} : { dependentTasks: [...names].toSorted() };
}

/** What a container asks for; constants as they are. */
export function resourcesOf({ cpu, memory, cpuRequest, memoryRequest, accelerator }: Resources, write: (value: Value) => string): Tree {
  const given = { resourceCpuLimit: cpu, resourceMemoryLimit: memory, resourceCpuRequest: cpuRequest, resourceMemoryRequest: memoryRequest };
  const quantities = Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, write(value)]]));
  if (accelerator === undefined) return Object.fromEntries(quantities);
  const type = write(accelerator.type);
  const count = typeof accelerator.count === "number" ? String(accelerator.count) : write(accelerator.count as Value);
  return { ...Object.fromEntries(quantities), accelerator: { resourceType: type, resourceCount: count } };
}

/** How a failed task is tried again; seconds and factors as the Python SDK has them. */
export function retryPolicy(retry: number | Retry): Tree {
  const { limit, backoffSeconds = 0, factor = 2, maxBackoffSeconds = 3600 } = typeof retry === "number" ? { limit: retry } : retry;
  return { maxRetryCount: limit, backoffDuration: `${backoffSeconds}s`, backoffFactor: factor, backoffMaxDuration: `${maxBackoffSeconds}s` };
}
