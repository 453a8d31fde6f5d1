import type { Client } from "@sluice/client";
import { isApiError, pathOf, PersistentVolumeClaim, Pod } from "@sluice/kubernetes";
import { SELECTED_NODE } from "./judge-claims.ts";

/** Gives a pod its node, and tells it the claims that wait for that. */
export async function bindPod(client: Client, pod: Pod, node: string, delayed: readonly PersistentVolumeClaim[]): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  for (const claim of delayed) if (claim.metadata.annotations?.[SELECTED_NODE] === undefined) await selectNode(client, claim, node);
  const body = { apiVersion: "v1", kind: "Binding", metadata: { namespace, name, uid }, target: { apiVersion: "v1", kind: "Node", name: node } };
  await client.request({ method: "POST", path: pathOf(Pod, { namespace, name, subresource: "binding" }), body });
}

async function selectNode(client: Client, { metadata }: PersistentVolumeClaim, node: string): Promise<void> {
  const { namespace, name, uid } = metadata;
  try {
    await client.patch(
      PersistentVolumeClaim,
      { namespace, name },
      { type: "merge", body: { metadata: { uid, annotations: { [SELECTED_NODE]: node } } } },
    );
  } catch (error) {
    // Gone, or another of that name: the node tells the pod.
    if (!isApiError(error, "NotFound") && !isApiError(error, "Conflict")) throw error;
  }
}
