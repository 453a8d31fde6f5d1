import type { Client } from "@sluice/client";
import type { IndexDefinition, Source } from "@sluice/controller";
import type { KubernetesObject, ObjectKey, Resource } from "@sluice/kubernetes";
import type { JsonObject } from "../domain/ir.ts";
import type { ObjectLinkRow } from "../store/tables.ts";

/** Where an object is, and the names that it may have, best first. */
interface ObjectPlace {
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
  contentIn(object: T, row: Row | undefined): JsonObject | Promise<JsonObject>;
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
