import { builtinDefinition } from "./builtin/schema-of-definition.ts";
import { ApiError } from "./errors.ts";
import { abandoned, isEmptySet, isSameSet, MEMBER, memberPaths, union, within, without, type FieldSet } from "./field-set.ts";
import { mergeTypeOf, OPEN_FIELD, type MergeField, type MergeType } from "./merge-type.ts";
import type { ManagedFieldsEntry, UnknownObject } from "./object.ts";
import { apiVersionOf, type Resource } from "./resource.ts";
import type { Schema } from "./schema.ts";
import { compareFields, fieldsOf, mergeApplied, mergeProblem, removeFields } from "./typed-merge.ts";

/** Who writes, and when. */
export interface FieldWriter {
  readonly manager: string;
  /** The subresource through which the write goes. */
  readonly subresource?: string | undefined;
  readonly time: string;
}

/** What one apply asks for. */
export interface FieldApply {
  /** The object as it is, if it is. */
  readonly live: UnknownObject | undefined;
  /** What the manager wants, and nothing else. */
  readonly applied: UnknownObject;
  /** Take over what other managers own instead of refusing. */
  readonly force: boolean;
  /** Fields that may be taken over even so. */
  readonly yielded?: FieldSet | undefined;
}

type Entries = readonly ManagedFieldsEntry[];
type ResourceIdentity = Pick<Resource, "group" | "version" | "kind" | "schema" | "subresources">;

/** As many entries of updates an object keeps; the oldest beyond that become one. */
const MAX_UPDATERS = 10;
const ANCIENT: string = "ancient-changes";

/** `after` with the ownership that a create (`before` is absent) or an update or patch by `writer` leaves. */
export function trackUpdate(before: UnknownObject | undefined, after: UnknownObject, resource: ResourceIdentity, writer: FieldWriter): UnknownObject {
  const entries = after.metadata.managedFields ?? [];
  const apiVersion = apiVersionOf(resource);
  const type = objectType(resource);
  const { added, modified, removed } =
    before === undefined ? { added: fieldsOf(after, type), modified: MEMBER, removed: MEMBER } : compareFields(before, after, type);
  const written = withoutIdentity(union(modified, added));
  // Where the status has an endpoint of its own, what the main one shows of it is a default.
  const gained = resource.subresources.status && writer.subresource !== "status" ? without(written, STATUS) : written;
  const lost = union(modified, removed);
  const isMine = (entry: ManagedFieldsEntry): boolean =>
    entry.operation === "Update" &&
    entry.manager === writer.manager &&
    entry.apiVersion === apiVersion &&
    (entry.subresource ?? "") === (writer.subresource ?? "");

  const mine = entries.find(isMine);
  const owned = mine === undefined ? gained : union(without(mine.fieldsV1, removed), gained);
  const kept = entries.filter((entry) => !isMine(entry)).map((entry) => withFields(entry, without(entry.fieldsV1, lost), entry.time));
  return withEntries(after, [...kept, entryOf("Update", apiVersion, writer, owned, mine)]);
}

/** What an apply makes of the live object, ownership included; throws Conflict where others own what it would change. */
export function applyFields({ live, applied, force, yielded = MEMBER }: FieldApply, resource: ResourceIdentity, writer: FieldWriter): UnknownObject {
  const type = objectType(resource);
  const problem = mergeProblem(applied, type);
  if (problem !== undefined) throw typedPatchError(applied, resource, problem);
  const apiVersion = apiVersionOf(resource);
  const entries = live?.metadata.managedFields ?? [];
  const known: Entries = live === undefined || entries.length > 0 ? entries : [beforeFirstApply(live, type, writer.time)];
  const isMine = (entry: ManagedFieldsEntry): boolean =>
    entry.operation === "Apply" && entry.manager === writer.manager && (entry.subresource ?? "") === (writer.subresource ?? "");
  const mine = known.find(isMine);
  const others = known.filter((entry) => !isMine(entry));

  const wanted = fieldsOf(applied, type);
  const merged = mergeApplied(live ?? {}, applied, type);
  const owned = others.reduce((set, { fieldsV1 }) => union(set, fieldsV1), wanted);
  const gone = mine === undefined ? MEMBER : abandoned(mine.fieldsV1, owned);
  // Identity is always applied, so that an object never goes as a whole.
  const next = removeFields(merged, gone, type, owned) as UnknownObject;

  const { modified, removed, added } = compareFields(live ?? {}, next, type);
  const changed = union(modified, added);
  const conflicts = force ? [] : others.map((entry) => ({ entry, set: without(within(entry.fieldsV1, changed), yielded) }));
  refuse(conflicts.filter(({ set }) => !isEmptySet(set)));
  const lost = union(changed, removed);
  const kept = others.map((entry) => withFields(entry, without(entry.fieldsV1, lost), entry.time));
  return withEntries(next, [...kept, entryOf("Apply", apiVersion, writer, withoutIdentity(wanted), mine)]);
}

/** The 400 for a configuration that cannot be applied, for that reason. */
export function typedPatchError(
  { metadata: { namespace, name } }: UnknownObject,
  resource: Omit<ResourceIdentity, "schema">,
  problem: string,
): ApiError {
  const where = namespace === undefined ? name : `${namespace}/${name}`;
  return new ApiError("BadRequest", `failed to create typed patch object (${where}; ${apiVersionOf(resource)}, Kind=${resource.kind}): ${problem}`);
}

/** The fields that `object` has, as its owner would have them. */
export function ownedFields(object: UnknownObject, resource: ResourceIdentity): FieldSet {
  return withoutIdentity(fieldsOf(object, objectType(resource)));
}

/** The fields of `applied` that `live` has in the same state. */
export function sharedFields(live: UnknownObject, applied: UnknownObject, resource: ResourceIdentity): FieldSet {
  const { added, modified } = compareFields(live, applied, objectType(resource));
  return without(without(ownedFields(applied, resource), modified), added);
}

/** Whether two lists of entries say the same but for times. */
export function isSameOwnership(a: Entries = [], b: Entries = []): boolean {
  if (a === b) return true;
  const isSame = (x: ManagedFieldsEntry, y: ManagedFieldsEntry | undefined): boolean =>
    y !== undefined &&
    x.manager === y.manager &&
    x.operation === y.operation &&
    x.apiVersion === y.apiVersion &&
    (x.subresource ?? "") === (y.subresource ?? "") &&
    isSameSet(x.fieldsV1, y.fieldsV1);
  return a.length === b.length && a.every((entry, i) => isSame(entry, b[i]));
}

const types = new WeakMap<Schema, MergeType>();
const OBJECT_META: Schema = { ref: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" };

/** The merge type of a whole object: its schema, and metadata as all objects have it. */
function objectType({ schema }: ResourceIdentity): MergeType {
  const known = types.get(schema);
  if (known !== undefined) return known;
  const options = { resolve: builtinDefinition };
  const content = mergeTypeOf(schema, options);
  const metadata: MergeField = { type: mergeTypeOf(OBJECT_META, options), isNamed: true };
  const kind: MergeField = { type: { kind: "atom" }, isNamed: true };
  const contentField = (name: string): MergeField => (content.kind === "map" ? content.field(name) : OPEN_FIELD);
  const type: MergeType = {
    kind: "map",
    field: (name) => (name === "metadata" ? metadata : name === "apiVersion" || name === "kind" ? kind : contentField(name)),
  };
  types.set(schema, type);
  return type;
}

const SERVER_FIELDS = ["name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion"];
const IDENTITY: FieldSet = {
  "f:apiVersion": MEMBER,
  "f:kind": MEMBER,
  "f:metadata": Object.fromEntries(SERVER_FIELDS.map((field) => [`f:${field}`, MEMBER])),
};

const STATUS: FieldSet = { "f:status": MEMBER };

/** A set without what nobody owns: the object's identity and what only the server writes. */
function withoutIdentity(set: FieldSet): FieldSet {
  return without(set, IDENTITY);
}

function entryOf(
  operation: ManagedFieldsEntry["operation"],
  apiVersion: string,
  { manager, subresource, time }: FieldWriter,
  fields: FieldSet,
  before: ManagedFieldsEntry | undefined,
): ManagedFieldsEntry {
  const entry = { manager, operation, apiVersion, fieldsType: "FieldsV1", ...(subresource === undefined ? {} : { subresource }) } as const;
  const isSame = before !== undefined && before.apiVersion === apiVersion && isSameSet(before.fieldsV1, fields);
  return withFields({ ...entry, fieldsV1: {} }, fields, (isSame ? before.time : undefined) ?? time);
}

function withFields(entry: ManagedFieldsEntry, fields: FieldSet, time: string | undefined): ManagedFieldsEntry {
  if (fields === entry.fieldsV1 && time === entry.time) return entry;
  return { ...entry, ...(time === undefined ? {} : { time }), fieldsV1: fields };
}

/** The object with its entries in Kubernetes' order: applies first, then by time. */
function withEntries(object: UnknownObject, entries: Entries): UnknownObject {
  const { managedFields: _, ...metadata } = object.metadata;
  const present = capped(entries.filter(({ fieldsV1 }) => !isEmptySet(fieldsV1)));
  if (present.length === 0) return { ...object, metadata };
  const order = (a: ManagedFieldsEntry, b: ManagedFieldsEntry): number =>
    text(a.operation, b.operation) ||
    text(a.time ?? "", b.time ?? "") ||
    text(a.manager, b.manager) ||
    text(a.apiVersion, b.apiVersion) ||
    text(a.subresource ?? "", b.subresource ?? "");
  return { ...object, metadata: { ...metadata, managedFields: present.length === 1 ? present : present.toSorted(order) } };
}

function text(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps an object that many have updated from growing without end. */
function capped(entries: ManagedFieldsEntry[]): ManagedFieldsEntry[] {
  const updaters = entries.filter(({ operation }) => operation === "Update");
  if (updaters.length <= MAX_UPDATERS) return entries;
  const oldest = updaters.toSorted((a, b) => text(a.time ?? "", b.time ?? "")).slice(0, updaters.length - MAX_UPDATERS + 1);
  const [first] = oldest;
  if (first === undefined) return entries;
  const { subresource: _, ...plain } = first;
  const ancient = { ...plain, manager: ANCIENT, fieldsV1: oldest.reduce<FieldSet>((set, { fieldsV1 }) => union(set, fieldsV1), MEMBER) };
  return [...entries.filter((entry) => !oldest.includes(entry)), ancient];
}

/** The owner of what was there before anybody kept books. */
function beforeFirstApply(live: UnknownObject, type: MergeType, time: string): ManagedFieldsEntry {
  const fieldsV1 = withoutIdentity(fieldsOf(live, type));
  return { manager: "before-first-apply", operation: "Update", apiVersion: live.apiVersion, time, fieldsType: "FieldsV1", fieldsV1 };
}

function refuse(conflicts: readonly { readonly entry: ManagedFieldsEntry; readonly set: FieldSet }[]): void {
  const all = conflicts.flatMap(({ entry, set }) => [...memberPaths(set)].map((field) => ({ who: nameOf(entry), field })));
  const [first] = all;
  if (first === undefined) return;
  const byManager = conflicts.map(({ entry, set }) => [`conflicts with ${nameOf(entry)}:`, ...[...memberPaths(set)].map((path) => `- ${path}`)]);
  const message =
    all.length === 1
      ? `Apply failed with 1 conflict: conflict with ${first.who}: ${first.field}`
      : `Apply failed with ${all.length} conflicts: ${byManager
          .toSorted(([a = ""], [b = ""]) => text(a, b))
          .flat()
          .join("\n")}`;
  const causes = all.map(({ who, field }) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field }));
  throw new ApiError("Conflict", message, { details: { causes } });
}

function nameOf({ manager, subresource, operation, apiVersion }: ManagedFieldsEntry): string {
  const name = `${JSON.stringify(manager)}${subresource === undefined ? "" : ` with subresource ${JSON.stringify(subresource)}`}`;
  return operation === "Update" ? `${name} using ${apiVersion}` : name;
}
