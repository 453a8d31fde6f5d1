import type { ReconcileContext } from "@sluice/controller";
import { Pod, type PodCondition } from "@sluice/kubernetes";

/** Why a pod is ended from outside. */
export interface Disruption {
  readonly reason: string;
  readonly message: string;
}

/** Deletes a pod that is no failure of its own, and says so first: Jobs may then not count it. */
export async function disruptPod(
  pod: Pod,
  { reason, message }: Disruption,
  context: ReconcileContext,
  options: { readonly isLost: boolean },
): Promise<void> {
  const { client, clock } = context;
  const { uid, resourceVersion } = pod.metadata;
  const now = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
  const condition: PodCondition = { type: "DisruptionTarget", status: "True", reason, message, lastTransitionTime: now };
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type), condition];
  const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  if (!isOver) {
    const status = { conditions, ...(options.isLost ? { phase: "Failed" } : {}) };
    await client.patch(Pod, pod.metadata, { type: "merge", subresource: "status", body: { metadata: { uid, resourceVersion }, status } });
  }
  await client.delete(Pod, pod.metadata, {
    ...(uid === undefined ? {} : { preconditions: { uid } }),
    ...(options.isLost ? { gracePeriodSeconds: 0 } : {}),
  });
}
