import { apiVersionOf, builtinReviews, type Resource } from "@sluice/kubernetes";

/** A JSON document of Kubernetes' discovery. */
export type DiscoveryDocument = Readonly<Record<string, unknown>>;

const STORED_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const CONNECT_VERBS = ["create", "get"];
const PROXY_VERBS = ["create", "delete", "get", "patch", "update"];
const STATUS_VERBS = ["get", "patch", "update"];
const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;

interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group?: string;
  readonly version?: string;
  readonly verbs: readonly string[];
}

/** Subresources besides status and scale, by group and plural. */
const SUBRESOURCES: Readonly<Record<string, readonly Subresource[]>> = {
  "/nodes": [{ name: "proxy", kind: "NodeProxyOptions", verbs: PROXY_VERBS }],
  "/pods": [
    { name: "attach", kind: "PodAttachOptions", verbs: CONNECT_VERBS },
    { name: "binding", kind: "Binding", verbs: ["create"] },
    { name: "eviction", kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] },
    { name: "exec", kind: "PodExecOptions", verbs: CONNECT_VERBS },
    { name: "log", kind: "Pod", verbs: ["get"] },
    { name: "portforward", kind: "PodPortForwardOptions", verbs: CONNECT_VERBS },
    { name: "proxy", kind: "PodProxyOptions", verbs: PROXY_VERBS },
  ],
  "/services": [{ name: "proxy", kind: "ServiceProxyOptions", verbs: PROXY_VERBS }],
  "/namespaces": [{ name: "finalize", kind: "Namespace", verbs: ["update"] }],
  "/serviceaccounts": [{ name: "token", kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"] }],
};

/** GET /version. `gitVersion` is a semantic version such as `v1.34.3`. */
export function versionInfo(gitVersion: string): DiscoveryDocument {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    gitVersion,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "",
    platform: "linux/amd64",
  };
}

/** GET /api, for clients that do not ask for aggregated discovery. */
export function apiVersions(): DiscoveryDocument {
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
}

/** GET /apis, for clients that do not ask for aggregated discovery. */
export function apiGroupList(resources: readonly Resource[]): DiscoveryDocument {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groupsOf(resources).map(([group, versions]) => groupEntry(group, versions)) };
}

/** GET /apis/`group`; undefined when nothing of that group is served. */
export function apiGroup(resources: readonly Resource[], group: string): DiscoveryDocument | undefined {
  const found = groupsOf(resources).find(([name]) => name === group);
  return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...groupEntry(...found) };
}

/** GET /api/v1 or /apis/`group`/`version`; undefined when nothing of that group version is served. */
export function apiResourceList(resources: readonly Resource[], group: string, version: string): DiscoveryDocument | undefined {
  const members = resources.filter((resource) => resource.group === group && resource.version === version);
  if (members.length === 0) return undefined;
  const rows = members.flatMap((resource) => {
    const { plural, kind, singular, scope, shortNames, categories } = resource;
    const namespaced = scope === "Namespaced";
    return [
      {
        name: plural,
        singularName: singular,
        namespaced,
        kind,
        verbs: verbsOf(resource),
        ...(shortNames.length === 0 ? {} : { shortNames }),
        ...(categories.length === 0 ? {} : { categories }),
      },
      ...subresourcesOf(resource).map(({ name, ...rest }) => ({ name: `${plural}/${name}`, singularName: "", namespaced, ...rest })),
    ];
  });
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf({ group, version }), resources: rows };
}

/**
 * The content type to answer in when a client's Accept header asks /api or /apis for aggregated discovery; undefined
 * when it does not. Clients know the form of the answer by these parameters alone.
 */
export function aggregatedDiscoveryType(accept: string | undefined): string | undefined {
  for (const range of (accept ?? "").split(",")) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim());
    if (type === "application/json" && parameters.length === 0) return undefined;
    if (type !== "application/json" || !parameters.includes("g=apidiscovery.k8s.io") || !parameters.includes("as=APIGroupDiscoveryList")) continue;
    if (parameters.includes("v=v2")) return "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  }
  return undefined;
}

/** GET /api (`core`) or /apis (`groups`) in the aggregated form: every group, version and resource in one answer. */
export function aggregatedDiscovery(resources: readonly Resource[], part: "core" | "groups"): DiscoveryDocument {
  const groups: [string, string[]][] = part === "core" ? [["", ["v1"]]] : groupsOf(resources);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        freshness: "Current",
        resources: resources.filter((one) => one.group === group && one.version === version).map(aggregatedEntry),
      })),
    })),
  };
}

function aggregatedEntry(resource: Resource): DiscoveryDocument {
  const { group, version, plural, kind, singular, scope, shortNames, categories } = resource;
  const subresources = subresourcesOf(resource).map((sub) => ({
    subresource: sub.name,
    responseKind: { group: sub.group ?? group, version: sub.version ?? version, kind: sub.kind },
    verbs: sub.verbs,
  }));
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: scope === "Namespaced" ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(resource),
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function verbsOf(resource: Resource): readonly string[] {
  return builtinReviews.includes(resource) ? ["create"] : STORED_VERBS;
}

function subresourcesOf(resource: Resource): Subresource[] {
  const { subresources, kind } = resource;
  return [
    ...(SUBRESOURCES[`${resource.group}/${resource.plural}`] ?? []),
    ...(subresources.scale === undefined ? [] : [{ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: STATUS_VERBS }]),
    ...(subresources.status ? [{ name: "status", kind, verbs: STATUS_VERBS }] : []),
  ];
}

/** The named groups with their versions, the preferred one first. */
function groupsOf(resources: readonly Resource[]): [string, string[]][] {
  const groups = Map.groupBy(
    resources.filter(({ group }) => group !== ""),
    ({ group }) => group,
  );
  return [...groups].map(([group, members]) => [group, [...new Set(members.map(({ version }) => version))].toSorted(compareVersions)]);
}

function groupEntry(group: string, versions: readonly string[]): DiscoveryDocument {
  const entries = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: entries, preferredVersion: entries[0] };
}

/** Stable before beta before alpha, newer before older, and what is no Kubernetes version last, by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left === undefined || right === undefined) {
    if (left === right) return a < b ? -1 : a > b ? 1 : 0;
    return left === undefined ? 1 : -1;
  }
  const difference = left.findIndex((value, i) => value !== right[i]);
  return difference < 0 ? 0 : (right[difference] ?? 0) - (left[difference] ?? 0);
}

function rankOf(version: string): readonly number[] | undefined {
  const match = VERSION.exec(version);
  if (match === null) return undefined;
  const stability = match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0;
  return [stability, Number(match[1]), Number(match[3] ?? 0)];
}
