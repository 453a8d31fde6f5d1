import type { LogOptions } from "@sluice/client";
import { ApiError, type Pod } from "@sluice/kubernetes";
import type { Attempt, ObservedContainer } from "../lifecycle/observed-pod.ts";
import { readLog } from "../logs/read-log.ts";
import type { PodDirectory } from "../runtime/pod-directory.ts";

/** The container whose log is asked for. */
export interface LogSource {
  readonly pod: Pod;
  readonly container: string;
  readonly directory: PodDirectory;
  readonly state: ObservedContainer | undefined;
  /** Resolves when its present attempt ends. */
  readonly ended: Promise<unknown> | undefined;
  readonly now: number;
}

/** The log of a container; throws BadRequest with kubelet's wording while there is none. */
export function openPodLog(source: LogSource, options: LogOptions): AsyncIterable<Uint8Array> {
  const { pod, container, directory, state, ended, now } = source;
  const { name } = pod.metadata;
  if (state === undefined) throw new ApiError("BadRequest", `container ${container} is not valid for pod ${name}`);
  const { attempt, previous } = state;
  const hasBegun = attempt !== undefined && (attempt.startedAt !== undefined || attempt.exit !== undefined);
  let chosen: Attempt | undefined = hasBegun ? attempt : previous;
  if (options.previous === true) {
    chosen = previous;
    if (chosen === undefined)
      throw new ApiError("BadRequest", `previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} not found`);
  }
  if (chosen === undefined)
    throw new ApiError(
      "BadRequest",
      `container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} is waiting to start: ${waitingFor(pod, container)}`,
    );
  const isLive = chosen === attempt && attempt.exit === undefined;
  return readLog(directory.attempt(container, chosen.index), {
    tailLines: options.tailLines,
    since: options.sinceSeconds === undefined ? undefined : now - options.sinceSeconds * 1000,
    timestamps: options.timestamps,
    limitBytes: options.limitBytes,
    followUntil: options.follow === true && isLive ? ended : undefined,
    startedAt: chosen.startedAt ?? chosen.exit?.startedAt ?? now,
    signal: options.signal,
  });
}

function waitingFor({ status, spec }: Pod, container: string): string {
  const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const reason = all.find(({ name }) => name === container)?.state?.waiting?.reason;
  if (reason === "ErrImagePull" || reason === "ImagePullBackOff") return "trying and failing to pull image";
  return reason ?? ((spec.initContainers ?? []).length > 0 ? "PodInitializing" : "ContainerCreating");
}
