import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { GpuAssignment } from "../gpu/assign-gpus.ts";
import type { ContainerExit } from "../lifecycle/observed-pod.ts";

const ATTEMPT = /^([^.]+)\.(\d+)$/u;

/** What is written down about an attempt before it starts. */
export interface AttemptRecord {
  readonly index: number;
  readonly restartCount: number;
  readonly crashes: number;
  readonly containerId: string;
  readonly imageId: string;
  readonly isProgram: boolean;
  /** What asks it to end; SIGTERM unless its image names another. */
  readonly stopSignal?: number | undefined;
}

/**
 * All that is kept about one pod, below `<node>/pods/<uid>`. An attempt lies in `<container>.<index>`: directories cost more
 * than all else there, and no container's name has a dot.
 */
export class PodDirectory {
  readonly path: string;

  constructor(node: string, uid: string) {
    this.path = join(node, "pods", uid);
  }

  /** When the node accepted the pod; undefined if it has not. */
  get madeAt(): number | undefined {
    const birth = statSync(this.path, { throwIfNoEntry: false })?.birthtimeMs;
    // Not every file system knows it.
    return birth === undefined || birth === 0 ? undefined : Math.round(birth);
  }

  make(): void {
    mkdirSync(this.path, { recursive: true });
  }

  readGpus(): GpuAssignment | undefined {
    return readJson<GpuAssignment>(join(this.path, "gpus.json"));
  }

  writeGpus(assignment: GpuAssignment): void {
    this.make();
    writeJson(join(this.path, "gpus.json"), assignment);
  }

  /** Nothing of the pod runs or lies about any more but its logs. */
  get isDone(): boolean {
    return existsSync(join(this.path, "done"));
  }

  markDone(): void {
    if (existsSync(this.path) && !this.isDone) writeFileSync(join(this.path, "done"), "");
  }

  get volumes(): string {
    return join(this.path, "volumes");
  }

  attempt(container: string, index: number): string {
    return join(this.path, `${container}.${index}`);
  }

  /** The indexes of a container's attempts, the oldest first. */
  attempts(container: string): readonly number[] {
    return this.#attempts()
      .flatMap(([name, index]) => (name === container ? [Number(index)] : []))
      .sort((a, b) => a - b);
  }

  /** The containers that have attempts. */
  containers(): readonly string[] {
    return [...new Set(this.#attempts().map(([name]) => name))];
  }

  writeAttempt(container: string, record: AttemptRecord): string {
    const directory = this.attempt(container, record.index);
    mkdirSync(directory, { recursive: true });
    writeJson(join(directory, "attempt.json"), record);
    return directory;
  }

  readAttempt(container: string, index: number): AttemptRecord | undefined {
    return readJson<AttemptRecord>(join(this.attempt(container, index), "attempt.json"));
  }

  writeOutcome(container: string, index: number, exit: ContainerExit): void {
    writeJson(join(this.attempt(container, index), "outcome.json"), exit);
  }

  readOutcome(container: string, index: number): ContainerExit | undefined {
    return readJson<ContainerExit>(join(this.attempt(container, index), "outcome.json"));
  }

  async removeAttempt(container: string, index: number): Promise<void> {
    await rm(this.attempt(container, index), { recursive: true, force: true });
  }

  /** The last thing that is done about a pod. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  #attempts(): readonly (readonly [container: string, index: string])[] {
    return list(this.path).flatMap((name) => {
      const [, container, index] = ATTEMPT.exec(name) ?? [];
      return container === undefined || index === undefined ? [] : [[container, index] as const];
    });
  }
}

/** The uids of all pods that have a directory. */
export function listPods(node: string): readonly string[] {
  return list(join(node, "pods"));
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/** Whole, or not at all. */
function writeJson(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}

function readJson<T>(path: string): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined; // What a power failure has cut says as little as nothing.
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
