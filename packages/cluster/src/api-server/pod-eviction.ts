import type { ApiResponse } from "@sluice/client";
import { ApiError, isJsonObject, labelSelectorFrom, type Pod, type PodDisruptionBudget, type UnknownObject } from "@sluice/kubernetes";
import { admit } from "./admit.ts";
import { created } from "./api-errors.ts";
import { deleteObject, readDeleteOptions } from "./delete.ts";
import { find } from "./list.ts";
import { keyOfRequest, timestamp, unjudged, type ResourceRequest } from "./request-context.ts";
import { rewrite } from "./update.ts";

const BUDGETS = "poddisruptionbudgets.policy";
/** How long to wait for a budget whose state is not known yet. */
const RETRY_SECONDS = 10;

type Budget = UnknownObject & PodDisruptionBudget;

/** Deletes a pod on somebody's polite request: only if its disruption budget can spare it. */
export async function evict(target: ResourceRequest): Promise<ApiResponse> {
  const { server, request } = target;
  const given = isJsonObject(request.body) ? request.body : {};
  const eviction = { ...given, apiVersion: "policy/v1", kind: "Eviction", metadata: { name: keyOfRequest(target).name } };
  const { object: body } = await admit(target, { operation: "CREATE", object: eviction });
  // It was judged as an eviction, not as what follows from it.
  const deletion = { ...unjudged(target), request: { ...request, body: isJsonObject(body["deleteOptions"]) ? body["deleteOptions"] : undefined } };
  const { dryRun } = readDeleteOptions(deletion);
  const pod = find(target) as UnknownObject & Pod;
  const budget = budgetOf(pod, target);
  if (budget !== undefined) {
    const spend = (current: UnknownObject | undefined): UnknownObject | undefined =>
      current && spent(current as Budget, pod, timestamp(server.options.clock.now()));
    if (dryRun) spend(budget);
    else await server.store.write(BUDGETS, budget.metadata, spend);
  }
  await rewrite(target, dryRun, (current) => ({
    object: current && disrupted(current as UnknownObject & Pod, timestamp(server.options.clock.now())),
  }));
  await deleteObject(deletion);
  return created();
}

/** The budget that counts a pod which counts: what has not started or is over disrupts nobody. */
function budgetOf(pod: Pod, { server }: ResourceRequest): Budget | undefined {
  const phase = pod.status?.phase;
  if (phase === "Pending" || phase === "Succeeded" || phase === "Failed" || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const all = server.store.list(BUDGETS, { namespace: pod.metadata.namespace }).items as Budget[];
  const budgets = all.filter(({ spec }) => spec?.selector !== undefined && labelSelectorFrom(spec.selector).matches(pod.metadata.labels));
  if (budgets.length > 1)
    throw new ApiError("InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
  return budgets[0];
}

/** The budget with one disruption less to allow. */
function spent(budget: Budget, pod: Pod, now: string): UnknownObject {
  const { metadata, status } = budget;
  const { name } = metadata;
  if (status === undefined || (status.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw tooManyRequests(`The disruption budget ${name} is still being processed by the server.`, RETRY_SECONDS);
  }
  if (status.disruptionsAllowed <= 0) {
    throw tooManyRequests(`The disruption budget ${name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`, 0);
  }
  const disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: now };
  return { ...budget, status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1, disruptedPods } };
}

function disrupted(pod: UnknownObject & Pod, now: string): UnknownObject {
  const conditions = (pod.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget");
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "EvictionByEvictionAPI",
    message: "Eviction API: evicting",
    lastTransitionTime: now,
  };
  return { ...pod, status: { ...pod.status, conditions: [...conditions, condition] } };
}

function tooManyRequests(message: string, retryAfterSeconds: number): ApiError {
  return new ApiError("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
    details: { causes: [{ reason: "DisruptionBudget", message }], ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }) },
  });
}
