import type { ApiResponse } from "@sluice/client";
import { isJsonObject, type Pod, type UnknownObject } from "@sluice/kubernetes";
import { admit } from "./admit.ts";
import { badRequest, conflict, created, notFound } from "./api-errors.ts";
import { isDryRun, keyOfRequest, timestamp, type ResourceRequest } from "./request-context.ts";
import { rewrite } from "./update.ts";

const BINDING = { plural: "pods/binding", group: "" };

/** The scheduler's word: the pod belongs to a node from now on. */
export async function bind(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, server } = target;
  const { name } = keyOfRequest(target);
  const given = isJsonObject(request.body) ? request.body : {};
  const metadata = { ...(isJsonObject(given["metadata"]) ? given["metadata"] : {}), name };
  const { object: body } = await admit(target, { operation: "CREATE", object: { ...given, apiVersion: "v1", kind: "Binding", metadata } });
  const binding: Readonly<Record<string, unknown>> = { ...body.metadata };
  const node = isJsonObject(body["target"]) ? body["target"]["name"] : undefined;
  if (typeof node !== "string" || node === "") throw badRequest("target.name: Required value");
  await rewrite(target, isDryRun(request.query, given), (current) => {
    if (current === undefined) throw notFound(served.resource, name);
    const pod = current as UnknownObject & Pod;
    const refuse = (why: string): Error => conflict(BINDING, name, why);
    const { uid, deletionTimestamp } = pod.metadata;
    const expected = binding["uid"];
    if (typeof expected === "string" && expected !== "" && expected !== uid) {
      throw refuse(`Precondition failed: UID in precondition: ${expected}, UID in object meta: ${uid ?? ""}`);
    }
    if (deletionTimestamp !== undefined) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
    if ((pod.spec.nodeName ?? "") !== "") throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
    if ((pod.spec.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
    const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: timestamp(server.options.clock.now()) };
    const bound = {
      ...pod,
      metadata: {
        ...pod.metadata,
        ...marks("annotations", pod.metadata.annotations, binding["annotations"]),
        ...marks("labels", pod.metadata.labels, binding["labels"]),
      },
      spec: { ...pod.spec, nodeName: node },
      status: { ...pod.status, conditions: [...conditions, scheduled] },
    };
    return { object: bound };
  });
  return created();
}

/** The labels or annotations of a pod, with those that the binding adds. */
function marks(field: "labels" | "annotations", present: Record<string, string> | undefined, added: unknown): object {
  return isJsonObject(added) ? { [field]: { ...present, ...added } } : {};
}
