import type { ApiResponse } from "@sluice/client";
import { trackUpdate, type UnknownObject } from "@sluice/kubernetes";
import { alreadyExists, badRequest, forbidden, methodNotAllowed, notFound } from "./api-errors.ts";
import { decodeObject, validateMeaning, validateShape, withDefaults } from "./decode-object.ts";
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
    const prepared = prepareCreate(target, named);
    const stored = await insert(target, prepared, dryRun);
    if (stored !== undefined) return { kind: "object", status: 201, object: served.view(stored), ...(warnings.length === 0 ? {} : { warnings }) };
    if (isGenerated && attempt < NAME_ATTEMPTS) continue;
    const { namespace: home, name } = prepared.metadata;
    const isGoing = target.server.store.get(served.table, { namespace: home, name })?.metadata.deletionTimestamp !== undefined;
    throw alreadyExists(served.resource, name, { isGoing });
  }
}

/** A decoded object as it would be stored: identity given, completed, checked. */
export function prepareCreate(
  target: ResourceRequest,
  object: UnknownObject,
  options: { readonly ownership?: "tracked" | "given" } = {},
): UnknownObject {
  const { server, served } = target;
  const { resource, strategy } = served;
  requireNamespace(target, object.metadata.name);
  const now = timestamp(server.options.clock.now());
  const { resourceVersion: _, deletionTimestamp: __, deletionGracePeriodSeconds: ___, generation: ____, ...given } = object.metadata;
  const { status, ...content } = object;
  const identified: UnknownObject = {
    ...content,
    ...(resource.subresources.status || status === undefined ? {} : { status }),
    metadata: {
      ...given,
      uid: server.options.newId(),
      creationTimestamp: now,
      ...(hasGeneration(served) ? { generation: 1 } : {}),
    },
  };
  const defaulted = withDefaults(served, identified);
  validateShape(served, defaulted, undefined);
  // A writer owns what it has written and its defaults, not what admission adds.
  const tracked = options.ownership === "given" ? defaulted : trackUpdate(undefined, defaulted, resource, writerOf(target));
  const completed = strategy.prepareCreate?.(tracked, strategyContext(server)) ?? tracked;
  validateMeaning(served, completed, undefined);
  server.options.guard?.({ user: target.user, resource, next: completed, current: undefined });
  return toStorage(served, completed);
}

/** Writes a new object and what it brings with it; undefined if the name is taken. */
async function insert({ server, served }: ResourceRequest, object: UnknownObject, dryRun: boolean): Promise<UnknownObject | undefined> {
  const { namespace, name } = object.metadata;
  const key = { namespace, name };
  if (dryRun) return server.store.get(served.table, key) === undefined ? object : undefined;
  let isTaken = false;
  const written = server.store.write(served.table, key, (current) => {
    isTaken = current !== undefined;
    return current ?? object;
  });
  const companions = isTaken ? [] : (served.strategy.companions?.(object) ?? []);
  // Writes of one turn share one commit.
  const accompanied = companions.map((one) =>
    server.store.write(one.table, one.object.metadata, (current) => current ?? withIdentity(server, one.object)),
  );
  const [stored] = await Promise.all([written, ...accompanied]);
  return isTaken ? undefined : stored;
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
