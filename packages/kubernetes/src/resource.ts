import type { KubernetesObject, UnknownObject } from "./object.ts";
import type { Schema } from "./schema.ts";

/** A printer column, as in a CRD's `additionalPrinterColumns`. `priority` above 0 shows only in wide output. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly jsonPath: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
}

/**
 * A kind as a value: the single source of its path, its schema, its CRD manifest and its printer columns.
 * The type parameter is the TypeScript shape of its objects.
 */
export interface Resource<T extends KubernetesObject = UnknownObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly schema: Schema;
  /** `status` splits writes: the main resource ignores `status`, the subresource ignores the rest. */
  readonly subresources: { readonly status: boolean; readonly scale?: ScalePaths };
  readonly columns: readonly Column[];
  /** Paths besides metadata.name and metadata.namespace that field selectors may use, e.g. `spec.nodeName`. */
  readonly selectableFields: readonly string[];
  /** Never set: carries the object type. */
  readonly object?: T;
}

/** Where a kind keeps what the scale subresource shows. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

/** What `defineResource` needs; the rest has Kubernetes' usual defaults. */
export interface ResourceOptions {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly schema: Schema;
  readonly singular?: string;
  readonly listKind?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: { readonly status?: boolean; readonly scale?: ScalePaths };
  readonly columns?: readonly Column[];
  readonly selectableFields?: readonly string[];
}

/** Defines a kind. Pure: registering it with a server or installing its CRD is somebody else's work. */
export function defineResource<T extends KubernetesObject>(options: ResourceOptions): Resource<T> {
  return {
    group: options.group,
    version: options.version,
    kind: options.kind,
    listKind: options.listKind ?? `${options.kind}List`,
    plural: options.plural,
    singular: options.singular ?? options.kind.toLowerCase(),
    scope: options.scope,
    shortNames: options.shortNames ?? [],
    categories: options.categories ?? [],
    schema: options.schema,
    subresources: { ...options.subresources, status: options.subresources?.status ?? false },
    columns: options.columns ?? [],
    selectableFields: options.selectableFields ?? [],
  };
}

/** `v1` or `group/version`, as objects carry it. */
export function apiVersionOf(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** The URL path of a collection, an object or a subresource, without the query: `/apis/batch/v1/namespaces/a/jobs/x/status`. */
export function pathOf(
  resource: Pick<Resource, "group" | "version" | "plural">,
  options: { namespace?: string | undefined; name?: string | undefined; subresource?: string | undefined } = {},
): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const parts = [root];
  if (options.namespace !== undefined) parts.push("namespaces", encodeURIComponent(options.namespace));
  parts.push(resource.plural);
  if (options.name !== undefined) parts.push(encodeURIComponent(options.name));
  if (options.subresource !== undefined) parts.push(options.subresource);
  return parts.join("/");
}
