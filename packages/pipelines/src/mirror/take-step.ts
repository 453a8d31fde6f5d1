import type { Client } from "@sluice/client";
import { canonicalJson, isApiError, type KubernetesObject, type ObjectKey, type Resource } from "@sluice/kubernetes";
import { NAMESPACES } from "../runner/kinds.ts";
import type { Store } from "../store/store.ts";
import type { ObjectLinkRow } from "../store/tables.ts";
import type { MirrorKind } from "./mirror-kind.ts";
import type { MirrorStep } from "./plan-mirror.ts";

/** What there is of a row, its object, and what binds them. */
export interface View<T, Row> {
  readonly object: T | undefined;
  readonly link: ObjectLinkRow | undefined;
  readonly row: Row | undefined;
}

/** A step, and what it is taken with. */
export interface Move<T, Row> extends View<T, Row> {
  readonly step: MirrorStep;
  readonly key: ObjectKey;
  readonly clusterId: string;
  readonly client: Client;
}

/** Takes a step; tells whether that was all until the object shows it. */
export async function takeStep<T extends KubernetesObject, Row>(store: Store, kind: MirrorKind<T, Row>, move: Move<T, Row>): Promise<boolean> {
  const { step, key, clusterId, client, object, link, row } = move;
  const { objects } = store;
  if (step === "import" && object !== undefined) {
    const { uid = "", name, namespace = "" } = object.metadata;
    const base = canonicalJson(await kind.contentIn(object, undefined));
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
  const there = canonicalJson(await kind.contentIn(object, row));
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
    case "nothing":
    case "import":
    case "deleteObject":
      return true;
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
