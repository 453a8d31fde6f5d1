import type { Client } from "@sluice/client";
import { defineController, type Controller, type IndexDefinition, type Source } from "@sluice/controller";
import { ApiError, canonicalJson, isApiError, UserError, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import { NAMESPACES } from "../runner/kinds.ts";
import type { Store } from "../store/store.ts";
import type { ObjectLinkRow } from "../store/tables.ts";
import { planMirror, type MirrorStep } from "./plan-mirror.ts";

/** Where an object is, and the names that it may have, best first. */
export interface ObjectPlace {
  readonly namespace: string;
  readonly names: readonly string[];
}

/** How rows and objects of one kind show each other. A refusal is an `ApiError` or `UserError`. */
export interface MirrorKind<T extends KubernetesObject, Row> {
  readonly kind: ObjectLinkRow["kind"];
  readonly resource: Resource<T>;
  /** The label that names the row of an object which was made for it. */
  readonly idLabel: string;
  find(id: string): Promise<Row | undefined>;
  /** Undefined if what the row belongs to is gone. */
  placeOf(row: Row): Promise<ObjectPlace | undefined>;
  /** What both sides may change. */
  contentOf(row: Row): JsonObject;
  contentIn(object: T, row: Row | undefined): JsonObject;
  /** The object of a row that has none; undefined while what it belongs to has none. */
  manifest(row: Row, key: ObjectKey): Promise<T | undefined>;
  /** The object as the row wants it. */
  withContent(object: T, row: Row): T;
  /** Stores the row of an object together with the link. */
  importObject(object: T, link: ObjectLinkRow): Promise<void>;
  change(row: Row, object: T): Promise<void>;
  remove(row: Row): Promise<void>;
  /** Tells the object's readers how things stand: the row, or why there is none. */
  show?(object: T, state: { readonly row: Row | undefined; readonly problem: string | undefined; readonly client: Client }): Promise<void>;
  readonly indexes?: readonly IndexDefinition[];
  /** Which objects to look at when there is news of other things; calls `look` with rows' ids, or `enqueue` with objects' names. */
  follow?(context: Parameters<Source>[0], look: (rowId: string) => void): (() => void) | undefined;
}

/** Keeps the rows and the objects of one kind in step, whichever side changes. Rows lead: an object is made, changed and deleted after them. */
export function mirror<T extends KubernetesObject, Row>(store: Store, cluster: ClusterIdentity, kind: MirrorKind<T, Row>): Controller {
  return defineController<T>({
    name: `pipelines-${kind.resource.plural}`,
    for: kind.resource,
    ...(kind.indexes === undefined ? {} : { indexes: kind.indexes }),
    sources: [(context) => followRows(store, cluster, kind, context)],
    async reconcile(key, context) {
      const clusterId = await cluster.of(context.client);
      let problem: string | undefined;
      for (let isDone = false; !isDone;) {
        const object = context.cache.get(kind.resource, key);
        const link = await store.objects.at(kind.kind, key);
        const row = link === undefined ? undefined : await kind.find(link.row_id);
        const view = { object, link, row };
        const step = stepOf(kind, view);
        try {
          isDone = await take(store, kind, { ...view, step, key, clusterId, client: context.client });
        } catch (error) {
          if (object === undefined || !isRefusal(error)) throw error;
          problem = error.message;
          context.events.record(object, { type: "Warning", reason: "Refused", message: problem });
          isDone = true;
        }
        if (isDone && object !== undefined && object.metadata.deletionTimestamp === undefined && (step === "nothing" || problem !== undefined)) {
          await kind.show?.(object, { row, problem, client: context.client });
        }
      }
    },
  });
}

interface View<T, Row> {
  readonly object: T | undefined;
  readonly link: ObjectLinkRow | undefined;
  readonly row: Row | undefined;
}

function stepOf<T extends KubernetesObject, Row>(kind: MirrorKind<T, Row>, { object, link, row }: View<T, Row>): MirrorStep {
  return planMirror({
    link: link === undefined ? undefined : { rowId: link.row_id, uid: link.uid, base: link.base },
    row: row === undefined ? undefined : { content: canonicalJson(kind.contentOf(row)) },
    object:
      object === undefined
        ? undefined
        : {
            uid: object.metadata.uid ?? "",
            content: canonicalJson(kind.contentIn(object, row)),
            rowId: object.metadata.labels?.[kind.idLabel],
            isLeaving: object.metadata.deletionTimestamp !== undefined,
          },
  });
}

interface Move<T, Row> extends View<T, Row> {
  readonly step: MirrorStep;
  readonly key: ObjectKey;
  readonly clusterId: string;
  readonly client: Client;
}

/** Takes a step; tells whether that was all until the object shows it. */
async function take<T extends KubernetesObject, Row>(store: Store, kind: MirrorKind<T, Row>, move: Move<T, Row>): Promise<boolean> {
  const { step, key, clusterId, client, object, link, row } = move;
  const { objects } = store;
  if (step === "import" && object !== undefined) {
    const { uid = "", name, namespace = "" } = object.metadata;
    const base = canonicalJson(kind.contentIn(object, undefined));
    await kind.importObject(object, { kind: kind.kind, namespace, name, row_id: uid, uid, base, cluster: clusterId });
    return false;
  }
  if (link === undefined) return true;
  if (step === "forget") {
    await objects.remove(link);
    return false;
  }
  if (step === "deleteObject" && object !== undefined) {
    const { uid } = object.metadata;
    await client.delete(kind.resource, key, uid === undefined ? {} : { preconditions: { uid } });
    return true;
  }
  if (row === undefined) return true;
  const wanted = canonicalJson(kind.contentOf(row));
  if (step === "deleteRow") {
    await kind.remove(row);
    return false;
  }
  if (step === "publish") {
    const manifest = await kind.manifest(row, key);
    if (manifest === undefined) return true;
    const created = await createIn(client, kind.resource, manifest);
    await objects.settle(link, { uid: created.metadata.uid ?? "", base: wanted });
    store.changes.tell(kind.kind, link.row_id);
    return true;
  }
  if (object === undefined) return true;
  const there = canonicalJson(kind.contentIn(object, row));
  switch (step) {
    case "adopt": {
      // An object that was made for the row follows it; one that somebody else made by this name is news.
      const isOwn = object.metadata.labels?.[kind.idLabel] === link.row_id;
      await objects.settle(link, { uid: object.metadata.uid ?? "", base: isOwn ? there : wanted });
      store.changes.tell(kind.kind, link.row_id);
      return false;
    }
    case "settle":
      await objects.settle(link, { base: wanted });
      return false;
    case "takeObject":
      await kind.change(row, object);
      await objects.settle(link, { base: there });
      return false;
    case "takeRow":
      await client.update(kind.resource, kind.withContent(object, row));
      await objects.settle(link, { base: wanted });
      return true;
    default:
      return true;
  }
}

/** Turns news of rows into names of objects, for those that have none yet as well. */
async function followRows<T extends KubernetesObject, Row>(
  store: Store,
  cluster: ClusterIdentity,
  kind: MirrorKind<T, Row>,
  context: Parameters<Source>[0],
): Promise<void> {
  const { client, enqueue, logger, signal } = context;
  const place = async (id: string): Promise<void> => {
    const known = await store.objects.ofRow(kind.kind, id);
    if (known !== undefined) return enqueue(known);
    const row = await kind.find(id);
    const found = row === undefined ? undefined : await kind.placeOf(row);
    if (found === undefined) return;
    const link = { kind: kind.kind, namespace: found.namespace, row_id: id, uid: "", base: "", cluster: await cluster.of(client) };
    const reserved = await store.objects.reserve(link, found.names);
    if (reserved === undefined) throw new ApiError("AlreadyExists", `all names are taken: ${found.names.join(", ")}`);
    enqueue(reserved);
  };
  const look = (id: string): void => {
    place(id).catch((error: unknown) => {
      if (!signal.aborted) logger.error("cannot show a row as an object; tried again on the next start", { kind: kind.kind, row: id, error });
    });
  };
  const stop = store.changes.subscribe((change) => {
    if (change.kind === kind.kind) look(change.id);
  });
  const stopFollowing = kind.follow?.(context, look);
  await cluster.of(client);
  for (const key of await store.objects.keys(kind.kind)) enqueue(key);
  for (const id of await store.objects.unlinked(kind.kind)) look(id);
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  stop();
  stopFollowing?.();
}

/** Which cluster this is. */
export class ClusterIdentity {
  readonly #store: Store;
  #id: Promise<string> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The uid of its namespace kube-system; links to the objects of another cluster are forgotten first. */
  of(client: Client): Promise<string> {
    this.#id ??= this.#find(client).catch((error: unknown) => {
      this.#id = undefined;
      throw error;
    });
    return this.#id;
  }

  async #find(client: Client): Promise<string> {
    const { metadata } = await client.get(NAMESPACES, { name: "kube-system" });
    await this.#store.objects.moveTo(metadata.uid ?? "");
    return metadata.uid ?? "";
  }
}

async function createIn<T extends KubernetesObject>(client: Client, resource: Resource<T>, object: T): Promise<T> {
  try {
    return await client.create(resource, object);
  } catch (error) {
    const { namespace } = object.metadata;
    if (!isApiError(error, "NotFound") || namespace === undefined) throw error;
    await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    return client.create(resource, object);
  }
}

/** Whether an object cannot be what it says. */
function isRefusal(error: unknown): error is Error {
  if (error instanceof UserError) return true;
  return ["BadRequest", "NotFound", "AlreadyExists", "Invalid"].some((reason) => isApiError(error) && error.reason === reason);
}
