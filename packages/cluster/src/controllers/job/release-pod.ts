import type { ReconcileContext } from "@sluice/controller";
import { isApiError, Pod } from "@sluice/kubernetes";
import { TRACKING_FINALIZER } from "./job-pods.ts";

/** Lets a pod go as far as its Job is concerned. */
export async function releasePod(pod: Pod, { client }: ReconcileContext): Promise<void> {
  const { namespace, name, uid, finalizers = [] } = pod.metadata;
  const at = finalizers.indexOf(TRACKING_FINALIZER);
  if (at < 0) return;
  const body = [
    { op: "test", path: "/metadata/uid", value: uid },
    { op: "test", path: `/metadata/finalizers/${at}`, value: TRACKING_FINALIZER },
    { op: "remove", path: `/metadata/finalizers/${at}` },
  ];
  try {
    await client.patch(Pod, { namespace, name }, { type: "json", body });
  } catch (error) {
    if (!isApiError(error, "NotFound")) throw error; // Gone altogether.
  }
}
