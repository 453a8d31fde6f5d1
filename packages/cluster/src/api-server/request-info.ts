/** What a path addresses. */
export type RequestInfo =
  | {
      readonly kind: "resource";
      readonly group: string;
      readonly version: string;
      readonly plural: string;
      readonly namespace?: string;
      readonly name?: string;
      readonly subresource?: string;
    }
  | { readonly kind: "path" };

/** Parses a path of the Kubernetes API; what is not below a group version, or is only one, is a plain path. */
export function parseRequestPath(path: string): RequestInfo {
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(decode);
  const prefix = parts.shift();
  const group = prefix === "apis" ? parts.shift() : "";
  const version = parts.shift();
  if ((prefix !== "api" && prefix !== "apis") || group === undefined || version === undefined || parts.length === 0) return { kind: "path" };

  const base = { kind: "resource", group, version } as const;
  const [first, second, third] = parts;
  const isNamespaced = first === "namespaces" && third !== undefined && !(group === "" && NAMESPACE_SUBRESOURCES.has(third) && parts.length === 3);
  const [plural, name, ...rest] = isNamespaced ? parts.slice(2) : parts;
  if (plural === undefined) return { kind: "path" };
  const namespace = isNamespaced ? second : undefined;
  return {
    ...base,
    plural,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    // What follows `proxy` is a path of somebody else's.
    ...(rest.length === 0 ? {} : { subresource: rest[0] === "proxy" ? "proxy" : rest.join("/") }),
  };
}

/** What follows a namespace's name and is no collection in it. */
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(["status", "finalize"]);

/** The RBAC verb of a request. */
export function verbOf(method: string, info: RequestInfo, query: Readonly<Record<string, string>>): string {
  if (info.kind === "path") return method.toLowerCase();
  switch (method) {
    case "GET":
    case "HEAD":
      if (isTrue(query["watch"]) && info.subresource === undefined) return "watch";
      return info.name === undefined ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return info.name === undefined ? "deletecollection" : "delete";
    default:
      return method.toLowerCase();
  }
}

/** Whether a query parameter is set in the way Go reads booleans from queries: present, and neither `0` nor `false`. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && value !== "0" && value.toLowerCase() !== "false";
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A stray percent sign: no object has such a name, so the request ends in NotFound.
  }
}
