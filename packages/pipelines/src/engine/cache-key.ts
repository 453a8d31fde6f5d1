import { fingerprint, fingerprintOfCustomKey, type Sha256 } from "../domain/fingerprint.ts";
import type { ContainerSpec } from "../domain/ir.ts";
import { typeOf } from "./parameter-type.ts";
import type { PlannedTask } from "./plan.ts";
import type { TaskValues } from "./types.ts";

/** The key under which a task's result is cached; undefined unless its author allows caching. */
export function cacheKeyOf(
  task: PlannedTask,
  container: ContainerSpec,
  inputs: TaskValues,
  options: { readonly sha256: Sha256; readonly pvcNames: readonly string[] },
): string | undefined {
  const { enableCache, cacheKey } = task.spec.cachingOptions ?? {};
  if (enableCache !== true) return undefined;
  if (cacheKey !== undefined && cacheKey !== "") return fingerprintOfCustomKey(task.spec.componentRef.name, cacheKey, options.sha256);
  const outputs = task.component.outputDefinitions;
  return fingerprint(
    {
      container: {
        image: container.image,
        command: container.command ?? [],
        args: container.args ?? [],
        pvcNames: options.pvcNames,
      },
      inputArtifacts: mapValues(inputs.artifacts, (list) => list.map(({ id }) => id)),
      inputParameters: inputs.parameters,
      outputArtifacts: mapValues(outputs?.artifacts ?? {}, ({ artifactType, metadata }) => ({
        type: { ...artifactType },
        ...(metadata === undefined ? {} : { metadata }),
      })),
      outputParameters: mapValues(outputs?.parameters ?? {}, typeOf),
    },
    options.sha256,
  );
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
