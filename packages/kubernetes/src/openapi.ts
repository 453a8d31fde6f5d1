import { builtinDefinition } from "./builtin/schema-of-definition.ts";
import { pathOf, type Resource } from "./resource.ts";
import type { Schema } from "./schema.ts";

/** A JSON document whose shape OpenAPI 3.0 fixes. */
export type OpenApiDocument = Readonly<Record<string, unknown>>;

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
const JSON_ONLY = "application/json";
const STRATEGIC = "application/strategic-merge-patch+json";
const PATCHES = ["application/json-patch+json", "application/merge-patch+json", STRATEGIC, "application/apply-patch+yaml"];
const WRITE_PARAMETERS = ["dryRun", "fieldManager", "fieldValidation"].map(queryParameter);
const PATCH_PARAMETERS = [...WRITE_PARAMETERS, { ...queryParameter("force"), schema: { type: "boolean", uniqueItems: true } }];

/** `api/v1` or `apis/batch/v1`: how `/openapi/v3` names a group version. */
export function openApiPath(resource: Pick<Resource, "group" | "version">): string {
  return resource.group === "" ? `api/${resource.version}` : `apis/${resource.group}/${resource.version}`;
}

/** The answer to GET /openapi/v3: where each group version's document is. The address changes with the document. */
export function openApiIndex(resources: readonly Resource[]): OpenApiDocument {
  const groups = Map.groupBy(resources, openApiPath);
  const paths = [...groups].map(([path, members]) => {
    const hash = members.reduce((sum, resource) => (Math.imul(sum, 31) + fingerprint(resource)) >>> 0, 0);
    return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash.toString(16).padStart(8, "0")}` }];
  });
  return { paths: Object.fromEntries(paths) };
}

/** The answer to GET /openapi/v3/`path`, e.g. `apis/batch/v1`; undefined when none of `resources` is there. */
export function openApiDocument(path: string, resources: readonly Resource[]): OpenApiDocument | undefined {
  const members = resources.filter((resource) => openApiPath(resource) === path);
  if (members.length === 0) return undefined;
  const schemas: Record<string, unknown> = {};
  const paths: Record<string, unknown> = {};
  for (const resource of members) {
    const name = schemaName(resource);
    schemas[name] = { ...rootSchema(resource, schemas), "x-kubernetes-group-version-kind": [groupVersionKind(resource)] };
    Object.assign(paths, pathsOf(resource, name));
  }
  return { openapi: "3.0.0", info: { title: "Kubernetes", version: "unversioned" }, paths, components: { schemas } };
}

function schemaName(resource: Resource): string {
  return resource.schema.ref ?? `${resource.group.split(".").toReversed().join(".")}.${resource.version}.${resource.kind}`;
}

function groupVersionKind({ group, version, kind }: Resource): Readonly<Record<string, string>> {
  return { group, kind, version };
}

function rootSchema(resource: Resource, into: Record<string, unknown>): Record<string, unknown> {
  const { ref } = resource.schema;
  if (ref !== undefined) return write(builtinDefinition(ref), into);
  const metadata = { allOf: [write({ ref: `${META}.ObjectMeta` }, into)], default: {} };
  const { properties, ...rest } = write({ type: "object", ...resource.schema }, into);
  const own = typeof properties === "object" ? properties : {};
  return { ...rest, properties: { ...own, apiVersion: { type: "string" }, kind: { type: "string" }, metadata } };
}

/** A schema in OpenAPI's notation; the definitions that it needs are added to `into`. */
function write(schema: Schema, into: Record<string, unknown>): Record<string, unknown> {
  const { ref, properties, additionalProperties, items, allOf, anyOf, oneOf, not, ...rest } = schema;
  if (ref !== undefined) {
    if (!(ref in into)) {
      // Reserved before it is written, since definitions refer to themselves.
      into[ref] = {};
      into[ref] = write(builtinDefinition(ref), into);
    }
    const pointer = { $ref: `#/components/schemas/${ref}` };
    return Object.keys(rest).length === 0 ? pointer : { allOf: [pointer], ...rest };
  }
  const isBareIntOrString = rest["x-kubernetes-int-or-string"] === true && anyOf === undefined && allOf === undefined;
  if (isBareIntOrString || rest.format === "quantity") {
    const { format: _, "x-kubernetes-int-or-string": __, ...beside } = rest;
    const name = isBareIntOrString ? INT_OR_STRING : QUANTITY;
    into[name] ??= isBareIntOrString
      ? { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true }
      : { oneOf: [{ type: "string" }, { type: "number" }] };
    const pointer = { $ref: `#/components/schemas/${name}` };
    return Object.keys(beside).length === 0 ? pointer : { allOf: [pointer], ...beside };
  }
  const all = (schemas: readonly Schema[]): unknown[] => schemas.map((one) => write(one, into));
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, child]) => [name, write(child, into)])) }),
    ...(additionalProperties === undefined
      ? {}
      : { additionalProperties: typeof additionalProperties === "boolean" ? additionalProperties : write(additionalProperties, into) }),
    ...(items === undefined ? {} : { items: write(items, into) }),
    ...(allOf === undefined ? {} : { allOf: all(allOf) }),
    ...(anyOf === undefined ? {} : { anyOf: all(anyOf) }),
    ...(oneOf === undefined ? {} : { oneOf: all(oneOf) }),
    ...(not === undefined ? {} : { not: write(not, into) }),
  };
}

/** The operations that clients look for: reading tells the kind, and patching tells which query parameters are understood. */
function pathsOf(resource: Resource, name: string): Record<string, unknown> {
  const root = pathOf(resource).slice(0, -resource.plural.length);
  const collection = resource.scope === "Namespaced" ? `${root}namespaces/{namespace}/${resource.plural}` : `${root}${resource.plural}`;
  const content = (types: readonly string[]): unknown =>
    Object.fromEntries(types.map((type) => [type, { schema: { $ref: `#/components/schemas/${name}` } }]));
  const responses = { "200": { description: "OK", content: content([JSON_ONLY]) } };
  // Of custom kinds nobody knows by which key their lists are merged; kubectl reads here which patch it may send.
  const patches = resource.schema.ref === undefined ? PATCHES.filter((type) => type !== STRATEGIC) : PATCHES;
  const anyBody = { content: Object.fromEntries(patches.map((type) => [type, { schema: { type: "object" } }])) };
  const operation = (action: string, more: Record<string, unknown> = {}): unknown => ({
    ...more,
    responses,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": groupVersionKind(resource),
  });
  const namespace = resource.scope === "Namespaced" ? [pathParameter("namespace")] : [];
  const body = { requestBody: { content: content([JSON_ONLY, "application/yaml"]) } };
  const one = { parameters: [pathParameter("name"), ...namespace] };
  const item = {
    ...one,
    get: operation("get"),
    put: operation("put", { parameters: WRITE_PARAMETERS, ...body }),
    patch: operation("patch", { parameters: PATCH_PARAMETERS, requestBody: anyBody }),
    delete: operation("delete", { parameters: [queryParameter("dryRun"), queryParameter("propagationPolicy")] }),
  };
  return {
    [collection]: {
      ...(namespace.length === 0 ? {} : { parameters: namespace }),
      get: operation("list"),
      post: operation("post", { parameters: WRITE_PARAMETERS, ...body }),
    },
    [`${collection}/{name}`]: item,
    ...(resource.subresources.status ? { [`${collection}/{name}/status`]: { ...one, get: item.get, put: item.put, patch: item.patch } } : {}),
    ...(resource.scope === "Namespaced" ? { [`${root}${resource.plural}`]: { get: operation("list") } } : {}),
  };
}

function pathParameter(name: string): unknown {
  return { name, in: "path", required: true, schema: { type: "string", uniqueItems: true } };
}

function queryParameter(name: string): { name: string; in: string; schema: unknown } {
  return { name, in: "query", schema: { type: "string", uniqueItems: true } };
}

const fingerprints = new WeakMap<Resource, number>();

/** FNV-1a of what a resource says: equal for equal resources. */
function fingerprint(resource: Resource): number {
  const known = fingerprints.get(resource);
  if (known !== undefined) return known;
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify(resource)) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  fingerprints.set(resource, hash >>> 0);
  return hash >>> 0;
}
