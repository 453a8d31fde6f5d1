import type { ApiResponse } from "@sluice/client";
import { ApiError, apiVersionOf, isApiError, isJsonObject, type UnknownObject } from "@sluice/kubernetes";
import { admitDeletion, andThen } from "./admit.ts";
import { conflict, detailsOf, forbidden, methodNotAllowed, notFound } from "./api-errors.ts";
import { listObject } from "./list.ts";
import { hasGeneration, isFinished, toStorage } from "./object-lifecycle.ts";
import { select } from "./selection.ts";
import { isTrue } from "./request-info.ts";
import { isDryRun, keyOfRequest, strategyContext, timestamp, type ResourceRequest } from "./request-context.ts";
import type { ServedResource } from "./registry.ts";
import { rewrite } from "./update.ts";

const FOREGROUND = "foregroundDeletion";
const ORPHAN = "orphan";

/** The options of a deletion. */
export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly policy: "Foreground" | "Background" | "Orphan" | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

/** DELETE of an object. */
export async function deleteObject(target: ResourceRequest): Promise<ApiResponse> {
  const { served } = target;
  const key = keyOfRequest(target);
  const options = readDeleteOptions(target);
  let isGone = false;
  const last = await rewrite(target, options.dryRun, (current) => {
    if (current === undefined) throw notFound(served.resource, key.name);
    const next = beginDeletion(target, current, options);
    isGone = next !== current && isFinished(served, next);
    return andThen(admitDeletion(target, served.view(current)), ({ charge }) => ({ object: next, charge }));
  });
  const orphans = served.strategy.orphansByDefault === true && options.policy === undefined;
  const warnings = orphans ? { warnings: [orphanWarning(served)] } : {};
  if (!isGone || served.strategy.returnsDeleted === true) return { kind: "object", status: 200, object: served.view(last), ...warnings };
  const details = { ...detailsOf(served.resource, key.name), uid: last.metadata.uid };
  const status = { apiVersion: "v1", kind: "Status", metadata: { name: "" }, status: "Success", details };
  return { kind: "object", status: 200, object: status, ...warnings };
}

function orphanWarning({ resource: { plural } }: ServedResource): string {
  return `child pods are preserved by default when ${plural} are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning`;
}

/** Few enough that others are not held up, and many enough that a commit is worth it. */
const DELETED_AT_ONCE = 250;

/** DELETE of a collection: everything that the selectors choose. */
export async function deleteCollection(target: ResourceRequest): Promise<ApiResponse> {
  const { served, namespace, server, request } = target;
  if (served.resource.scope === "Namespaced" && namespace === undefined) throw methodNotAllowed();
  readDeleteOptions(target); // Refuses before anything is gone.
  const matches = select(served, request.query);
  const { items, revision } = server.store.list(served.table, { namespace });
  const chosen = items.filter(matches);
  for (let start = 0; start < chosen.length; start += DELETED_AT_ONCE) {
    await Promise.all(
      chosen.slice(start, start + DELETED_AT_ONCE).map(async ({ metadata: { name } }) => {
        try {
          await deleteObject({ ...target, name });
        } catch (error) {
          if (!isApiError(error, "NotFound")) throw error;
        }
      }),
    );
  }
  return { kind: "object", status: 200, object: listOf(target, chosen, revision) };
}

function listOf({ served }: ResourceRequest, items: readonly UnknownObject[], revision: number): UnknownObject {
  return listObject(apiVersionOf(served.resource), served.resource.listKind, items.map(served.view), { resourceVersion: String(revision) });
}

/** The object once its deletion has begun; finished if nothing holds it back. */
function beginDeletion(target: ResourceRequest, current: UnknownObject, options: DeleteOptions): UnknownObject {
  const { served, server } = target;
  const { strategy, resource } = served;
  const { name, uid, resourceVersion, deletionTimestamp, deletionGracePeriodSeconds = 0 } = current.metadata;
  if (options.uid !== undefined && options.uid !== uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${uid ?? ""}`);
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion) {
    const why = `Precondition failed: ResourceVersion in precondition: ${options.resourceVersion}, ResourceVersion in object meta: ${resourceVersion ?? ""}`;
    throw conflict(resource, name, why);
  }
  const refusal = strategy.undeletable?.(current);
  if (refusal !== undefined) throw forbidden(resource, name, refusal);
  const grace = strategy.gracePeriodSeconds?.(current, options.gracePeriodSeconds) ?? 0;
  const finalizers = finalizersAfter(target, current, options.policy);
  const isSooner = deletionTimestamp === undefined || grace < deletionGracePeriodSeconds;
  const same =
    finalizers.length === (current.metadata.finalizers ?? []).length && finalizers.every((one) => current.metadata.finalizers?.includes(one));
  const { finalizers: _, ...metadata } = current.metadata;
  const context = strategyContext(server);
  const start = deletionTimestamp === undefined ? server.options.clock.now() : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  const deleting: UnknownObject = {
    ...current,
    metadata: {
      ...metadata,
      ...(finalizers.length === 0 ? {} : { finalizers }),
      ...(isSooner
        ? {
            deletionTimestamp: timestamp(grace === 0 && deletionTimestamp !== undefined ? Date.parse(context.now) : start + grace * 1000),
            deletionGracePeriodSeconds: grace,
          }
        : {}),
      ...(deletionTimestamp === undefined && hasGeneration(served) ? { generation: (metadata.generation ?? 0) + 1 } : {}),
    },
  };
  const next = toStorage(served, strategy.prepareDelete?.(deleting) ?? deleting);
  return !isSooner && same && !isFinished(served, next) ? current : next;
}

function finalizersAfter({ served }: ResourceRequest, current: UnknownObject, policy: DeleteOptions["policy"]): string[] {
  const before = current.metadata.finalizers ?? [];
  const added = served.resource.plural === "customresourcedefinitions" && current.metadata.deletionTimestamp === undefined ? [CRD_CLEANUP] : [];
  const kept = [...before, ...added.filter((one) => !before.includes(one))];
  if (policy === undefined) {
    const isDecided = before.includes(ORPHAN) || before.includes(FOREGROUND);
    const orphans = served.strategy.orphansByDefault === true && !isDecided && current.metadata.deletionTimestamp === undefined;
    return orphans ? [...kept, ORPHAN] : kept;
  }
  const others = kept.filter((one) => one !== ORPHAN && one !== FOREGROUND);
  if (policy === "Background") return others;
  const marker = policy === "Orphan" ? ORPHAN : FOREGROUND;
  // An object already in deletion takes no new finalizers.
  return current.metadata.deletionTimestamp !== undefined && !before.includes(marker) ? kept : [...others, marker];
}

/** The finalizer that keeps a custom resource definition until its objects are gone. */
export const CRD_CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

/** What a deletion asks for, in its body or its query. */
export function readDeleteOptions({ request, served }: ResourceRequest): DeleteOptions {
  const { query } = request;
  const body = isJsonObject(request.body) ? request.body : {};
  const grace = body["gracePeriodSeconds"] ?? (query["gracePeriodSeconds"] === undefined ? undefined : Number(query["gracePeriodSeconds"]));
  const policy = body["propagationPolicy"] ?? query["propagationPolicy"];
  const orphans = body["orphanDependents"] ?? (query["orphanDependents"] === undefined ? undefined : isTrue(query["orphanDependents"]));
  const preconditions = isJsonObject(body["preconditions"]) ? body["preconditions"] : {};
  const refuse = (why: string): ApiError =>
    new ApiError("Invalid", `DeleteOptions.meta.k8s.io "" is invalid: ${why}`, { details: detailsOf(served.resource, undefined) });
  if (grace !== undefined && grace !== null && (typeof grace !== "number" || !Number.isInteger(grace)))
    throw refuse("gracePeriodSeconds: Invalid value: must be an integer");
  if (policy !== undefined && policy !== null && policy !== "Foreground" && policy !== "Background" && policy !== "Orphan") {
    throw refuse(`propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`);
  }
  if (policy !== undefined && policy !== null && typeof orphans === "boolean") {
    throw refuse("propagationPolicy: Invalid value: orphanDependents and deletionPropagation cannot be both set");
  }
  const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  return {
    // A negative period means the shortest that is still graceful.
    gracePeriodSeconds: typeof grace === "number" ? (grace < 0 ? 1 : grace) : undefined,
    policy: policy ?? (orphans === true ? "Orphan" : orphans === false ? "Background" : undefined),
    uid: text(preconditions["uid"]),
    resourceVersion: text(preconditions["resourceVersion"]),
    dryRun: isDryRun(query, body),
  };
}
