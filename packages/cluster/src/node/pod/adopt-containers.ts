import type { Container, Pod } from "@sluice/kubernetes";
import type { Attempt, ContainerExit } from "../lifecycle/observed-pod.ts";
import type { RawExit } from "../runtime/container-handle.ts";
import { findProcess, killGroup, lostExit, readExit, readStart } from "../runtime/container-process.ts";
import { listPods, PodDirectory, type AttemptRecord } from "../runtime/pod-directory.ts";
import { bootId } from "../runtime/process-identity.ts";
import type { JournalEntry } from "../runtime/start-journal.ts";

/** What earlier runs of this program have left of a container. */
export interface Adopted {
  /** The index of the next attempt. */
  readonly nextIndex: number;
  readonly previous?: Attempt | undefined;
  readonly last?: {
    readonly record: AttemptRecord;
    readonly startedAt?: number | undefined;
    readonly state:
      | { readonly is: "running" }
      /** A program of this process that is to run again. */
      | { readonly is: "interrupted" }
      /** Nobody has told its end yet. */
      | { readonly is: "ended"; readonly raw: RawExit }
      | { readonly is: "told"; readonly exit: ContainerExit };
  };
}

/**
 * Finds out what has become of a container's attempts. `journal` holds those that were about to start: of one that left
 * no trace the process never ran, except if the machine went down since; then nobody knows, and it must not run again.
 */
export function adoptContainer(container: Container, directory: PodDirectory, journal: readonly JournalEntry[], now: number): Adopted {
  const own = journal.filter((entry) => entry.container === container.name);
  const boot = bootId();
  const indexes = new Set([...directory.attempts(container.name), ...own.map(({ index }) => index)]);
  const known: NonNullable<Adopted["last"]>[] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const found = adoptAttempt(container, directory, index, {
      now,
      isFromEarlierBoot: own.some((entry) => entry.index === index && entry.boot !== boot),
      restartCount: known.length,
    });
    if (found !== undefined) known.push(found);
  }
  const nextIndex = Math.max(-1, ...indexes) + 1;
  const last = known.at(-1);
  const before = known.at(-2);
  const previous = before?.state.is === "told" ? attemptOf(before.record, before.startedAt, before.state.exit) : undefined;
  return last === undefined ? { nextIndex } : { nextIndex, previous, last };
}

function adoptAttempt(
  container: Container,
  directory: PodDirectory,
  index: number,
  options: { readonly now: number; readonly isFromEarlierBoot: boolean; readonly restartCount: number },
): Adopted["last"] | undefined {
  const { now, isFromEarlierBoot, restartCount } = options;
  const record = directory.readAttempt(container.name, index);
  const path = directory.attempt(container.name, index);
  if (record === undefined) {
    if (!isFromEarlierBoot) return undefined;
    const lost: AttemptRecord = { index, restartCount, crashes: restartCount, containerId: "", imageId: "", isProgram: false };
    directory.writeAttempt(container.name, lost);
    return { record: lost, state: { is: "ended", raw: lostExit(now) } };
  }
  const exit = directory.readOutcome(container.name, index);
  if (exit !== undefined) return { record, startedAt: exit.startedAt, state: { is: "told", exit } };
  if (record.isProgram) return { record, state: { is: "interrupted" } };
  const startedAt = readStart(path);
  switch (findProcess(path)) {
    case "running":
      return { record, startedAt, state: { is: "running" } };
    case "ended":
      return { record, startedAt, state: { is: "ended", raw: readExit(path) ?? lostExit(now) } };
    case "lost":
      return { record, startedAt, state: { is: "ended", raw: lostExit(now) } };
    case "unclaimed":
      return isFromEarlierBoot ? { record, state: { is: "ended", raw: lostExit(now) } } : undefined;
  }
}

/** An attempt as the planner sees it. */
export function attemptOf(record: AttemptRecord, startedAt?: number, exit?: ContainerExit): Attempt {
  const { index, restartCount, crashes, containerId, imageId } = record;
  return {
    index,
    restartCount,
    crashes,
    containerId,
    imageId,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(exit === undefined ? {} : { exit }),
  };
}

/** Kills every process that a pod's directory knows of. */
export function killPod(directory: PodDirectory): void {
  for (const container of directory.containers()) {
    for (const index of directory.attempts(container)) {
      const path = directory.attempt(container, index);
      // An attempt that nobody has claimed yet is claimed here, so that its process does not start after all.
      if (findProcess(path) === "running") killGroup(path);
    }
  }
}

/** The pods that have a directory, and are none of `pods`. */
export function orphansOf(node: string, pods: readonly Pod[]): readonly string[] {
  const known = new Set(pods.map(({ metadata }) => metadata.uid));
  return listPods(node).filter((uid) => !known.has(uid));
}
