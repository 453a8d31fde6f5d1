import type { Column, KubernetesList, KubernetesObject, Resource, UnknownObject } from "@sluice/kubernetes";
import { computedColumns } from "./computed-column.ts";
import { age } from "./human-duration.ts";
import { readJsonPath } from "./json-path.ts";
import "./policy-columns.ts";
import "./table-columns.ts";

/** How much of each object a table's row carries: what the query parameter `includeObject` says. */
export type IncludeObject = "None" | "Metadata" | "Object";

/** A `meta.k8s.io/v1` Table: what `kubectl get` prints. */
export interface Table {
  readonly kind: "Table";
  readonly apiVersion: "meta.k8s.io/v1";
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly columnDefinitions: readonly ColumnDefinition[];
  readonly rows: readonly TableRow[];
}

/** One object of a Table. */
export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object?: unknown;
}

/** How a table is made: when ages count from, and how much of each object it carries. */
export interface TableOptions {
  readonly now: Date;
  readonly includeObject?: IncludeObject;
}

interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

interface TableColumn {
  readonly definition: ColumnDefinition;
  readonly cell: (object: KubernetesObject, now: Date) => unknown;
}

const NAME: TableColumn = {
  definition: { name: "Name", type: "string", format: "name", description: "", priority: 0 },
  cell: ({ metadata }) => metadata.name,
};
const AGE: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

/** What a table needs to know of a kind. */
type Shown = Pick<Resource, "group" | "kind" | "columns">;

const known = new WeakMap<Shown, readonly TableColumn[]>();

/** One object or a list as a Table, in the columns of `resource`. */
export function toTable(resource: Shown, content: UnknownObject | KubernetesList, options: TableOptions): Table {
  const items = isList(content) ? content.items : [content];
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: isList(content) ? content.metadata : { resourceVersion: content.metadata.resourceVersion ?? "" },
    columnDefinitions: columnsOf(resource).map(({ definition }) => definition),
    rows: items.map((object) => toRow(resource, object, options)),
  };
}

/** One object as the row of a Table. */
export function toRow(resource: Shown, object: KubernetesObject, { now, includeObject = "Metadata" }: TableOptions): TableRow {
  return {
    cells: columnsOf(resource).map(({ cell }) => cell(object, now)),
    ...(includeObject === "None" ? {} : { object: includeObject === "Object" ? object : toPartialObjectMetadata(object) }),
  };
}

/** An object's metadata alone, for clients that need no more. */
export function toPartialObjectMetadata(object: KubernetesObject): UnknownObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}

/** A list of the metadata of each item. */
export function toPartialObjectMetadataList(list: KubernetesList): KubernetesList {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1",
    metadata: list.metadata,
    items: list.items.map(toPartialObjectMetadata),
  };
}

function isList(content: UnknownObject | KubernetesList): content is KubernetesList {
  return "items" in content && Array.isArray(content.items) && content.kind.endsWith("List");
}

function columnsOf(resource: Shown): readonly TableColumn[] {
  const before = known.get(resource);
  if (before !== undefined) return before;
  const columns = computedColumns(resource)?.map(({ name, type, priority, cell }): TableColumn => ({
    definition: { name, type, format: name === "Name" ? "name" : "", description: "", priority },
    cell,
  })) ?? [NAME, ...(resource.columns.length === 0 ? [AGE] : resource.columns).map(fromPath)];
  known.set(resource, columns);
  return columns;
}

function fromPath(column: Column): TableColumn {
  const { name, type, jsonPath, format = "", description = "", priority = 0 } = column;
  return {
    definition: { name, type, format, description, priority },
    cell: (object, now) => {
      const found = readJsonPath(jsonPath, object);
      if (type === "date") return age(found[0], now);
      if (found.length === 0) return null;
      return type === "string" ? found.map(show).join(" ") : found[0];
    },
  };
}

function show(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
