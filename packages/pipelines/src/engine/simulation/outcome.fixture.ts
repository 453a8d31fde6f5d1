import type { JsonObject } from "../../domain/ir.ts";
import { digest } from "./random.fixture.ts";

/** What a task's container is given: its parameters, and the addresses of its artifacts. */
export interface Given {
  readonly parameters: JsonObject;
  readonly artifacts: Readonly<Record<string, readonly string[]>>;
}

/** What happens to the tasks of a run, by their place and attempt alone, so that no order of events changes it. */
export interface Outcomes {
  /** Whether an attempt's pod succeeds. */
  succeeds(path: string, attempt: number): boolean;
  /** Whether the cache has a result for the task. */
  isCached(path: string): boolean;
}

/** Outcomes by chance. */
export function chanceOutcomes(seed: number, failOneIn: number): Outcomes {
  const chance = (text: string, count: number): boolean => Number.parseInt(digest(`${seed} ${text}`).slice(0, 6), 16) % count === 0;
  return {
    succeeds: (path, attempt) => failOneIn === 0 || !chance(`fails ${path} ${attempt}`, failOneIn),
    isCached: (path) => chance(`cached ${path}`, 3),
  };
}

/** What a container's output parameter `out` is: it tells all that the container was given. */
export function outputOf(path: string, { parameters, artifacts }: Given): string {
  const words = Object.keys(parameters)
    .sort()
    .map((name) => {
      const value = parameters[name];
      if (name !== "status") return `${name}=${JSON.stringify(value)}`;
      const { state, pipelineTaskName, error } = value as { state: string; pipelineTaskName: string; error: { code?: number } };
      return `status=${state} ${pipelineTaskName} ${error.code ?? 0}`;
    });
  const lists = Object.keys(artifacts)
    .sort()
    .map((name) => `${name}=${artifacts[name]?.join()}`);
  return digest([path, ...words, ...lists].join("\n"));
}

/** The address of a container's output artifact. */
export function artifactUri(path: string): string {
  return `s3://made/${path}`;
}

/** What the cache has for a task. */
export function cachedOutput(path: string): { readonly out: string; readonly uri: string } {
  return { out: digest(`cached ${path}`), uri: `s3://cached/${path}` };
}
