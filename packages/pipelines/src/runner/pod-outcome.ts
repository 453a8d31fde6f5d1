import type { Client } from "@sluice/client";
import { MAIN_CONTAINER } from "../engine/pod-types.ts";
import type { ContainerStatus, ObservedPod } from "./kinds.ts";

/** How many lines of a failed container's log its task's message quotes. */
const TAIL_LINES = 10;
const TAIL_BYTES = 4096;
/** A node that does not answer must not hold up the run. */
const LOG_TIMEOUT_MS = 3000;

/** How a pod ended. */
export interface PodOutcome {
  readonly succeeded: boolean;
  readonly exitCode?: number;
  /** What the user's container ran. */
  readonly imageId?: string;
  /** Why it failed, for a person; what the exit code says already is left out. */
  readonly message?: string;
}

/** Whether a pod is over. */
export function isOver(pod: ObservedPod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

/** Why containers wait that nothing but another pipeline, image or secret will help; an image pull counts once it is being tried again. */
const HOPELESS: ReadonlySet<string> = new Set(["InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"]);

/** Why a pod cannot start, for a person; undefined if it may. */
export function obstacleOf({ status }: ObservedPod): string | undefined {
  for (const { name, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = "", message } = state?.waiting ?? {};
    if (HOPELESS.has(reason)) return `container ${name}: ${reason}${message === undefined ? "" : `: ${message}`}`;
  }
  return undefined;
}

/** How a pod that is over ended; of a failed one, with the last lines of its log. */
export async function podOutcome(client: Client, pod: ObservedPod): Promise<PodOutcome> {
  if (pod.status?.phase === "Succeeded") {
    const { imageID: imageId = "" } = pod.status.containerStatuses?.find(({ name }) => name === MAIN_CONTAINER) ?? {};
    return { succeeded: true, exitCode: 0, ...(imageId === "" ? {} : { imageId }) };
  }
  const { status } = pod;
  const culprit = culpritOf(pod);
  const parts: string[] = [];
  if (status?.reason !== undefined) parts.push(status.message === undefined ? status.reason : `${status.reason}: ${status.message}`);
  const ended = culprit?.state?.terminated;
  const isMain = culprit?.name === MAIN_CONTAINER;
  if (culprit !== undefined && ended !== undefined) {
    if (!isMain) parts.push(`container ${culprit.name} exited with code ${ended.exitCode}`);
    if (ended.reason !== undefined && ended.reason !== "Error") parts.push(ended.reason);
    if (ended.message !== undefined) parts.push(ended.message);
    const tail = await logTail(client, pod, culprit.name);
    if (tail !== "") parts.push(tail);
  } else if (status?.reason === undefined) parts.push(status?.message ?? "it does not say why");
  return { succeeded: false, ...(isMain && ended !== undefined ? { exitCode: ended.exitCode } : {}), message: parts.join("\n") };
}

/** The container that the pod failed of: the user's, if it failed itself. */
function culpritOf(pod: ObservedPod): ContainerStatus | undefined {
  const all = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const failed = all.filter(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  return failed.find(({ name }) => name === MAIN_CONTAINER) ?? failed[0];
}

async function logTail(client: Client, pod: ObservedPod, container: string): Promise<string> {
  const { namespace, name } = pod.metadata;
  const signal = AbortSignal.timeout(LOG_TIMEOUT_MS);
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of client.log({ namespace, name }, { container, tailLines: TAIL_LINES, signal })) {
      text = (text + decoder.decode(chunk, { stream: true })).slice(-TAIL_BYTES);
    }
  } catch {
    // The log may be gone with its pod; the exit code still tells something.
  }
  return text.trimEnd();
}
