import { type CacheKey, fingerprint, fingerprintOfCustomKey, type Sha256 } from "../domain/fingerprint.ts";
import type { ContainerSpec } from "../domain/ir.ts";
import { type KeyParts, keyPartsOf } from "./cache-parts.ts";
import { typeOf } from "./parameter-type.ts";
import type { PlannedTask } from "./plan.ts";
import { maxStalenessOf } from "./platform.ts";
import type { RunState } from "./run-state.ts";
import type { Effect, EngineContext, TaskRecord, TaskValues } from "./types.ts";

type LookupEffect = Extract<Effect, { readonly type: "lookupCache" }>;

/** Under what a task's result is cached. */
export interface TaskCacheKey {
  readonly fingerprint: string;
  readonly parts: KeyParts;
}

/**
 * The key of a task's result, as upstream has it: the container as the pipeline gives it, the inputs as the graph gives them, and
 * the declared outputs; or what its author chose instead. Undefined unless its author allows caching.
 */
export function cacheKeyOf(
  task: PlannedTask,
  container: ContainerSpec,
  inputs: TaskValues,
  options: { readonly sha256: Sha256; readonly pvcNames: readonly string[] },
): TaskCacheKey | undefined {
  const { sha256, pvcNames } = options;
  const { enableCache, cacheKey: custom = "" } = task.spec.cachingOptions ?? {};
  if (enableCache !== true) return undefined;
  const component = task.spec.componentRef.name;
  if (custom !== "") return { fingerprint: fingerprintOfCustomKey(component, custom, sha256), parts: { key: custom } };
  const outputs = task.component.outputDefinitions;
  const key: CacheKey = {
    container: { image: container.image, command: container.command ?? [], args: container.args ?? [], pvcNames },
    inputArtifacts: mapValues(inputs.artifacts, (list) => list.map(({ id }) => id)),
    inputParameters: inputs.parameters,
    outputArtifacts: mapValues(outputs?.artifacts ?? {}, ({ artifactType, metadata }) => ({
      type: { ...artifactType },
      ...(metadata === undefined ? {} : { metadata }),
    })),
    outputParameters: mapValues(outputs?.parameters ?? {}, typeOf),
  };
  return { fingerprint: fingerprint(key, sha256), parts: keyPartsOf(key, sha256) };
}

/** The question whether a task's result is known. */
export function lookupEffect(run: RunState, record: TaskRecord, fingerprint: string, context: EngineContext): LookupEffect {
  const maxAgeMs = maxStalenessOf(run, record) ?? context.cacheMaxAgeMs;
  return { type: "lookupCache", taskId: record.id, fingerprint, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
