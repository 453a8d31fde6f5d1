import type { ApiResponse } from "@sluice/client";
import { trackUpdate, type ObjectMeta, type UnknownObject } from "@sluice/kubernetes";
import { admit, andThen, type Admitted, type Awaitable } from "./admit.ts";
import { alreadyExists, badRequest, forbidden, methodNotAllowed, notFound } from "./api-errors.ts";
import { decodeObject, readAgain, refuse, shapeFaults, validateMeaning, withDefaults } from "./decode-object.ts";
import { generateName } from "./object-meta.ts";
import { isDryRun, strategyContext, timestamp, writerOf, type ResourceRequest, type ServerContext } from "./request-context.ts";
import { hasGeneration, toStorage } from "./object-lifecycle.ts";

const NAME_ATTEMPTS = 8;

/** POST of a collection. */
export async function create(target: ResourceRequest): Promise<ApiResponse> {
  const { served, request, namespace } = target;
  if (served.resource.scope === "Namespaced" && namespace === undefined) throw methodNotAllowed();
  const dryRun = isDryRun(request.query);
  const { object, warnings } = decodeObject(target, request.body);
  if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== "") {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  const isGenerated = object.metadata.name === "" && (object.metadata.generateName ?? "") !== "";
  for (let attempt = 1; ; attempt++) {
    const named = isGenerated
      ? { ...object, metadata: { ...object.metadata, name: generateName(object.metadata.generateName ?? "", target.server.options.newId()) } }
      : object;
    const pending = prepareCreate(target, named, { isGenerated });
    const prepared = pending instanceof Promise ? await pending : pending;
    const stored = await insert(target, prepared, dryRun);
    if (stored !== undefined) return { kind: "object", status: 201, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
    if (isGenerated && attempt < NAME_ATTEMPTS) continue;
    const { namespace: home, name } = prepared.object.metadata;
    const isGoing = target.server.store.get(served.table, { namespace: home, name })?.metadata.deletionTimestamp !== undefined;
    throw alreadyExists(served.resource, name, { isGoing });
  }
}

/** A decoded object as it would be stored: identity given, completed, judged. */
export function prepareCreate(
  target: ResourceRequest,
  object: UnknownObject,
  options: { readonly ownership?: "tracked" | "given"; readonly isGenerated?: boolean } = {},
): Awaitable<Admitted> {
  const { server, served } = target;
  const { resource, strategy } = served;
  requireNamespace(target, object.metadata.name);
  const identity: Partial<ObjectMeta> = {
    uid: server.options.newId(),
    creationTimestamp: timestamp(server.options.clock.now()),
    ...(hasGeneration(served) ? { generation: 1 } : {}),
  };
  const complete = (one: UnknownObject): UnknownObject => strategy.prepareCreate?.(one, strategyContext(server)) ?? one;
  const defaulted = withDefaults(served, identified(target, object, identity));
  // A writer owns what it has written and its defaults, not what admission adds.
  const tracked = options.ownership === "given" ? defaulted : trackUpdate(undefined, defaulted, resource, writerOf(target));
  const faults = shapeFaults(served, tracked);
  const first = faults.length === 0 ? complete(tracked) : tracked;
  // Mutation may mend what is wrong, and knows no name that is yet to be made.
  const shown = options.isGenerated === true ? { ...first, metadata: { ...first.metadata, name: "" } } : first;

  const admitted = admit(target, { operation: "CREATE", object: shown }, (mutated) => {
    let completed = first;
    if (mutated === shown) refuse(served, first, faults);
    else {
      const again = readAgain(served, tracked, mutated);
      // Who has said where an object goes has said its name.
      const name = target.name ?? (again.metadata.name === "" ? first.metadata.name : again.metadata.name);
      const named = { ...again, metadata: { ...again.metadata, name } };
      const redone = withDefaults(served, identified(target, named, identity));
      refuse(served, redone, shapeFaults(served, redone));
      completed = complete(redone);
    }
    validateMeaning(served, completed, undefined);
    server.options.guard?.({ user: target.user, resource, next: completed, current: undefined });
    return completed;
  });
  return andThen(admitted, ({ object: completed, charge }) => {
    // While somebody thought about it, the namespace may have gone.
    if (admitted instanceof Promise) requireNamespace(target, completed.metadata.name);
    return { object: toStorage(served, completed), charge };
  });
}

/** The object with its identity, which no client may choose, and where it belongs. */
function identified({ served, namespace }: ResourceRequest, object: UnknownObject, identity: Partial<ObjectMeta>): UnknownObject {
  const { resourceVersion: _, deletionTimestamp: __, deletionGracePeriodSeconds: ___, generation: ____, ...given } = object.metadata;
  const { status, ...content } = object;
  return {
    ...content,
    ...(served.resource.subresources.status || status === undefined ? {} : { status }),
    metadata: { ...given, ...(namespace === undefined ? {} : { namespace }), ...identity },
  };
}

/** Writes a new object and what it brings with it; undefined if the name is taken. */
async function insert({ server, served }: ResourceRequest, { object, charge }: Admitted, dryRun: boolean): Promise<UnknownObject | undefined> {
  const { namespace, name } = object.metadata;
  const key = { namespace, name };
  if (dryRun) {
    if (server.store.get(served.table, key) !== undefined) return undefined;
    charge?.()();
    return object;
  }
  let isTaken = false;
  const refunds: (() => void)[] = [];
  const written = server.store.write(served.table, key, (current) => {
    isTaken = current !== undefined;
    if (!isTaken && charge !== undefined) refunds.push(charge());
    return current ?? object;
  });
  const companions = isTaken ? [] : (served.strategy.companions?.(object) ?? []);
  // Writes of one turn share one commit.
  const accompanied = companions.map((one) =>
    server.store.write(one.table, one.object.metadata, (current) => current ?? withIdentity(server, one.object)),
  );
  try {
    const [stored] = await Promise.all([written, ...accompanied]);
    return isTaken ? undefined : stored;
  } catch (error) {
    refunds.forEach((refund) => refund());
    throw error;
  }
}

function withIdentity({ options }: ServerContext, object: UnknownObject): UnknownObject {
  return { ...object, metadata: { ...object.metadata, uid: options.newId(), creationTimestamp: timestamp(options.clock.now()) } };
}

/** What is created in a namespace needs one that exists and stays. */
function requireNamespace({ server, served, namespace }: ResourceRequest, name: string): void {
  if (namespace === undefined) return;
  const home = server.store.get("namespaces", { name: namespace });
  if (home === undefined) throw notFound({ plural: "namespaces", group: "" }, namespace);
  if (home.metadata.deletionTimestamp === undefined) return;
  throw forbidden(served.resource, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [
    { reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" },
  ]);
}
