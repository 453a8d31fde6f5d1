import { UserError } from "@sluice/kubernetes";
import { isReference, isText, type ComponentDefinition, type Reference, type Task, type Text, type Value } from "./graph.ts";
import type { KubernetesOptions } from "./kubernetes-options.ts";
import type { JsonValue, ParameterType, Ports } from "./types.ts";

/** What a task's container asks the cluster for, as Kubernetes writes quantities; known when the pipeline is written, or when it runs. */
export interface Resources {
  readonly cpu?: Value;
  readonly memory?: Value;
  readonly cpuRequest?: Value;
  readonly memoryRequest?: Value;
  readonly accelerator?: { readonly type: Value; readonly count: number | Reference<ParameterType<number>> | Value };
}
/** How often, and how patiently, a failed task is tried again. */
export interface Retry {
  readonly limit: number;
  readonly backoffSeconds?: number;
  readonly factor?: number;
  readonly maxBackoffSeconds?: number;
}
/** How a pipeline that is a task of another runs, apart from its inputs. */
export interface PipelineTaskOptions {
  /** Whether a known result may be taken; `key` stands in for what the result is known by. */
  readonly cache?: boolean | { readonly key: string };
  readonly displayName?: string;
  /** Tasks to wait for; one inside an `onExit` block stands for the whole block. */
  readonly after?: readonly Task<Ports>[];
  /** Runs once the tasks that it waits for are over, however they ended. */
  readonly ignoreUpstreamFailure?: boolean;
}
/** How one task runs, apart from its inputs. */
export interface TaskOptions extends PipelineTaskOptions {
  readonly retry?: number | Retry;
  readonly timeoutSeconds?: number;
  readonly resources?: Resources;
  /** Runs this image instead of the component's own. */
  readonly image?: Value;
  readonly env?: Readonly<Record<string, string>>;
  /** When to hold the pod for somebody to look into it. */
  readonly debugPause?: readonly ("before" | "after" | "onError")[];
  readonly kubernetes?: KubernetesOptions;
}

const isWhole = (value: number, least: number): boolean => Number.isInteger(value) && value >= least;

/** Throws where a task's options cannot be. */
export function checkTaskOptions(
  { name, inputs }: ComponentDefinition,
  args: ReadonlyMap<string, Reference | Text | JsonValue>,
  { retry, timeoutSeconds, resources, ignoreUpstreamFailure = false }: TaskOptions,
): void {
  const limit = typeof retry === "object" ? retry.limit : retry;
  if (limit !== undefined && !isWhole(limit, 0)) throw new UserError(`${name}: retry must be a whole number of at least 0`);
  if (timeoutSeconds !== undefined && !isWhole(timeoutSeconds, 1))
    throw new UserError(`${name}: timeoutSeconds must be a whole number of at least 1`);
  const count = resources?.accelerator?.count;
  if (typeof count === "number" && !isWhole(count, 0)) throw new UserError(`${name}: an accelerator's count must be a whole number of at least 0`);
  for (const [quantity, pattern, given] of [
    ["cpu", CPU, resources?.cpu],
    ["cpuRequest", CPU, resources?.cpuRequest],
    ["memory", MEMORY, resources?.memory],
    ["memoryRequest", MEMORY, resources?.memoryRequest],
  ] as const) {
    if (typeof given === "string" && !pattern.test(given))
      throw new UserError(`${name}: ${quantity} "${given}" is no quantity`, {
        fix: quantity.startsWith("cpu") ? 'e.g. "2" or "500m"' : 'e.g. "512Mi" or "4Gi"',
      });
  }
  if (!ignoreUpstreamFailure) return;
  for (const [key, value] of args) {
    const isMade = (one: unknown): boolean => isReference(one) && (one.source.kind === "task" || one.source.kind === "oneOf");
    const needsIt = isText(value) ? value.parts.some(isMade) : isMade(value) && inputs[key]?.optional !== true;
    if (needsIt)
      throw new UserError(`${name}: ignoreUpstreamFailure, but input "${key}" takes what an earlier task may fail to give`, {
        fix: "give that input a default, or make it optional()",
      });
  }
}

const CPU = /^([0-9]*\.)?[0-9]+m?$/u;
const MEMORY = /^[0-9]+([EPTGMK]i?)?$/u;
