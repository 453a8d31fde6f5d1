import type { ApiResponse } from "@sluice/client";
import { invalid, isSameOwnership, jsonEqual, trackUpdate, type ObjectMeta, type UnknownObject } from "@sluice/kubernetes";
import { admit, andThen, type Admitted, type Awaitable } from "./admit.ts";
import { badRequest, conflict, notFound } from "./api-errors.ts";
import { create } from "./create.ts";
import { decodeObject, readAgain, refuse, shapeFaults, validateMeaning, withDefaults } from "./decode-object.ts";
import { hasGeneration, isFinished, toStorage } from "./object-lifecycle.ts";
import type { ServedResource } from "./registry.ts";
import { isDryRun, keyOfRequest, strategyContext, writerOf, type ResourceRequest } from "./request-context.ts";

/** PUT of an object, or of its status. */
export async function update(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, subresource } = target;
  const key = keyOfRequest(target);
  const { object, warnings } = decodeObject(target, request.body);
  const named = object.metadata.name === "" ? { ...object, metadata: { ...object.metadata, name: key.name } } : object;
  if (named.metadata.name !== key.name) {
    throw badRequest(`the name of the object (${named.metadata.name}) does not match the name on the URL (${key.name})`);
  }
  if (served.strategy.createsOnUpdate === true && subresource === undefined && target.server.store.get(served.table, key) === undefined) {
    const { uid = "" } = named.metadata;
    // Who knows a uid has met another object.
    if (uid !== "") throw conflict(served.resource, key.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: `);
    return create(target);
  }
  if (served.isCustom && (named.metadata.resourceVersion ?? "") === "") {
    throw invalid(served.resource.kind, served.resource.group, key.name, [
      { reason: "FieldValueInvalid", field: "metadata.resourceVersion", message: "Invalid value: 0: must be specified for an update" },
    ]);
  }
  const stored = await rewrite(target, isDryRun(request.query), (current) => {
    if (current === undefined) throw notFound(served.resource, key.name);
    return mergeUpdate(target, current, named);
  });
  return { kind: "object", status: 200, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
}

/** What becomes of an object; `object` is absent if there is nothing to change. */
type Change = Admitted<UnknownObject | undefined>;

/** How often others may get ahead of a write while it is judged. */
const ATTEMPTS = 8;

/**
 * Writes what `change` makes of the current object: durably, or with dry run not at all. The object after it, or as it was
 * when the change ends it. A change that must wait is written only to the object that it was made of, else made anew.
 */
export async function rewrite(
  target: ResourceRequest,
  dryRun: boolean,
  change: (current: UnknownObject | undefined) => Awaitable<Change>,
): Promise<UnknownObject> {
  const { server, served } = target;
  const key = keyOfRequest(target);
  let ready: { readonly of: UnknownObject | undefined; readonly made: Change } | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const waiting: Promise<NonNullable<typeof ready>>[] = [];
    const refunds: (() => void)[] = [];
    let last: UnknownObject | undefined;
    const settle = (current: UnknownObject | undefined, { object: next, charge }: Change): UnknownObject | undefined => {
      if (charge !== undefined && next !== current) refunds.push(charge());
      last = next ?? current;
      return next !== undefined && next !== current && isFinished(served, next) ? undefined : next;
    };
    const apply = (current: UnknownObject | undefined): UnknownObject | undefined => {
      if (ready !== undefined && ready.of === current) return settle(current, ready.made);
      const made = change(current);
      if (!(made instanceof Promise)) return settle(current, made);
      const pending = made.then((one) => ({ of: current, made: one }));
      pending.catch(() => {}); // Whoever waits for it below hears of it, but not before the commit.
      waiting.push(pending);
      return current;
    };
    let isWritten = false;
    try {
      const stored = dryRun ? (apply(server.store.get(served.table, key)), last) : await server.store.write(served.table, key, apply);
      const [pending] = waiting;
      if (pending === undefined) {
        if (stored === undefined) throw notFound(served.resource, key.name);
        isWritten = !dryRun;
        return stored;
      }
      ready = await pending;
    } finally {
      if (!isWritten) refunds.forEach((refund) => refund());
    }
  }
  throw conflict(served.resource, key.name);
}

/** The stored form of `current` after a write of `next`: what the write may not touch is carried over; `current` itself if nothing changes. */
export function mergeUpdate(
  target: ResourceRequest,
  current: UnknownObject,
  next: UnknownObject,
  options: { readonly ownership?: "tracked" | "given" } = {},
): Awaitable<Admitted> {
  const { server, served, subresource } = target;
  const { resource, strategy } = served;
  const { name } = current.metadata;
  const { resourceVersion, uid } = next.metadata;
  if (uid !== undefined && uid !== "" && uid !== current.metadata.uid) {
    throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid ?? ""}`);
  }
  if (resourceVersion !== undefined && resourceVersion !== "" && resourceVersion !== "0" && resourceVersion !== current.metadata.resourceVersion) {
    throw conflict(resource, name);
  }
  const before = served.view(current);
  const draft = (one: UnknownObject): UnknownObject => {
    const split = splitStatus(served, before, one, subresource);
    return withDefaults(served, { ...split, metadata: carryMeta(before.metadata, split.metadata) });
  };
  const complete = (one: UnknownObject): UnknownObject =>
    subresource === "status" ? one : (strategy.prepareUpdate?.(one, before, strategyContext(server)) ?? one);
  const defaulted = draft(next);
  const isSame = isUnchanged(before, defaulted);
  const faults = isSame ? [] : shapeFaults(served, defaulted, before);
  const first = isSame ? before : faults.length === 0 ? complete(defaulted) : defaulted;

  const admitted = admit(target, { operation: "UPDATE", object: first, oldObject: before }, (mutated) => {
    if (mutated === before) return before;
    let prepared = first;
    if (mutated === first) refuse(served, first, faults);
    else {
      const redone = draft(readAgain(served, defaulted, mutated));
      if (isUnchanged(before, redone)) return before;
      refuse(served, redone, shapeFaults(served, redone, before));
      prepared = complete(redone);
    }
    const refused = newFinalizers(before.metadata, prepared.metadata);
    if (refused.length > 0) {
      const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(refused)}`;
      throw invalid(resource.kind, resource.group, name, [{ reason: "FieldValueForbidden", field: "metadata.finalizers", message }]);
    }
    if (isUnchanged(before, prepared)) return before;
    if (subresource !== "status") validateMeaning(served, prepared, before);
    server.options.guard?.({ user: target.user, resource, next: prepared, current: before });
    return withGeneration(served, before, prepared);
  });
  return andThen(admitted, ({ object: grown, charge }) => {
    if (grown === before) return { object: current };
    if (options.ownership === "given") return { object: toStorage(served, grown), charge };
    // As on creation: what the strategy or admission carries over or adds is nobody's doing.
    const { managedFields } = trackUpdate(before, defaulted, resource, writerOf(target)).metadata;
    return { object: toStorage(served, { ...grown, metadata: withManagedFields(grown.metadata, managedFields) }), charge };
  });
}

function withManagedFields({ managedFields: _managedFields, ...metadata }: ObjectMeta, managedFields: ObjectMeta["managedFields"]): ObjectMeta {
  return managedFields === undefined ? metadata : { ...metadata, managedFields };
}

/** The status subresource writes only the status, the main resource everything else. */
function splitStatus(
  { resource, isCustom }: ServedResource,
  before: UnknownObject,
  next: UnknownObject,
  subresource: string | undefined,
): UnknownObject {
  if (!resource.subresources.status) return next;
  if (subresource !== "status") {
    const { status: _, ...content } = next;
    return before["status"] === undefined
      ? { ...content, metadata: next.metadata, apiVersion: next.apiVersion, kind: next.kind }
      : { ...next, status: before["status"] };
  }
  const { finalizers: _, ownerReferences: __, ...labels } = next.metadata;
  const { finalizers, ownerReferences } = before.metadata;
  const metadata: ObjectMeta = isCustom
    ? { ...before.metadata, ...(next.metadata.managedFields === undefined ? {} : { managedFields: next.metadata.managedFields }) }
    : { ...labels, ...(finalizers === undefined ? {} : { finalizers }), ...(ownerReferences === undefined ? {} : { ownerReferences }) };
  const { status: ___, ...rest } = before;
  return { ...rest, apiVersion: before.apiVersion, kind: before.kind, metadata, ...(next["status"] === undefined ? {} : { status: next["status"] }) };
}

const SERVER_OWNED = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
] as const;

function carryMeta(before: ObjectMeta, next: ObjectMeta): ObjectMeta {
  const metadata: Record<string, unknown> = { ...next };
  for (const field of SERVER_OWNED) {
    if (before[field] === undefined) delete metadata[field];
    else metadata[field] = before[field];
  }
  for (const field of ["labels", "annotations", "finalizers", "ownerReferences"]) {
    const value = metadata[field];
    if (typeof value === "object" && value !== null && Object.keys(value).length === 0) delete metadata[field];
  }
  if (next.managedFields === undefined && before.managedFields !== undefined) metadata["managedFields"] = before.managedFields;
  return { ...metadata, name: before.name };
}

function newFinalizers(before: ObjectMeta, next: ObjectMeta): string[] {
  if (before.deletionTimestamp === undefined) return [];
  return (next.finalizers ?? []).filter((finalizer) => !(before.finalizers ?? []).includes(finalizer));
}

/** Whether nothing has changed; the times at which managers wrote do not count. */
function isUnchanged(before: UnknownObject, next: UnknownObject): boolean {
  const content = ({ metadata: { managedFields: _managedFields, ...metadata }, ...rest }: UnknownObject): unknown => ({ ...rest, metadata });
  return isSameOwnership(before.metadata.managedFields, next.metadata.managedFields) && jsonEqual(content(before), content(next));
}

/** One generation more if what is asked for has changed. */
function withGeneration(served: ServedResource, before: UnknownObject, next: UnknownObject): UnknownObject {
  if (!hasGeneration(served)) return next;
  const wish = ({ metadata: _metadata, status, ...content }: UnknownObject): unknown =>
    served.isCustom && !served.resource.subresources.status ? { ...content, status } : content;
  return jsonEqual(wish(before), wish(next)) ? next : { ...next, metadata: { ...next.metadata, generation: (before.metadata.generation ?? 0) + 1 } };
}
