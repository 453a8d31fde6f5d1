import type { ApiRequest, ApiResponse } from "@sluice/client";
import { ApiError, builtinReviews, openApiDocument, openApiIndex, type Resource, type UnknownObject } from "@sluice/kubernetes";
import type { ApiServer } from "../api-server/api-server.ts";
import {
  aggregatedDiscovery,
  aggregatedDiscoveryType,
  apiGroup,
  apiGroupList,
  apiResourceList,
  apiVersions,
  versionInfo,
  type DiscoveryDocument,
} from "../api-server/discovery.ts";
import { TOKEN_ISSUER, type ServiceAccountTokens } from "../auth/service-account-tokens.ts";
import { KUBERNETES_VERSION } from "../kubernetes-version.ts";
import type { RequestCounts } from "./request-counts.ts";

/** What the documents are about. */
export interface ClusterDocumentsOptions {
  readonly counts: RequestCounts;
  readonly publicKeys: Awaited<ReturnType<ServiceAccountTokens["publicKeys"]>>;
  /** Whether the cluster answers requests, and goes on to. */
  readonly isReady: () => boolean;
}

const HEALTH = /^\/(?:healthz|livez|readyz)(?:\/(?:ping|etcd))?$/u;

/** Answers the paths that are no resources: health, version, discovery, OpenAPI, the keys of tokens. Documents are kept until what they tell of changes. */
export function clusterDocuments({
  counts,
  publicKeys,
  isReady,
}: ClusterDocumentsOptions): (request: ApiRequest, server: ApiServer) => ApiResponse | undefined {
  const documents = new WeakMap<ApiServer, Map<string, DiscoveryDocument | undefined>>();
  const version = versionInfo(KUBERNETES_VERSION);

  const documentsOf = (server: ApiServer): Map<string, DiscoveryDocument | undefined> => {
    const known = documents.get(server);
    if (known !== undefined) return known;
    const map = new Map<string, DiscoveryDocument | undefined>();
    documents.set(server, map);
    server.onResourcesChange(() => map.clear());
    return map;
  };

  return (request, server) => {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") return undefined;
    const path = request.path.length > 1 ? request.path.replace(/\/$/u, "") : request.path;
    if (HEALTH.test(path)) return health(path, isReady(), request.query["verbose"] !== undefined);
    switch (path) {
      case "/":
        return found({ paths: ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v3", "/readyz", "/version"] });
      case "/version":
        return found(version);
      case "/metrics":
        return text(counts.toMetrics(), "text/plain; version=0.0.4");
      case "/openid/v1/jwks":
        return found({ keys: publicKeys.keys }, "application/jwk-set+json");
      case "/.well-known/openid-configuration":
        return found({
          issuer: TOKEN_ISSUER,
          jwks_uri: `${TOKEN_ISSUER}/openid/v1/jwks`,
          response_types_supported: ["id_token"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: ["ES256"],
        });
    }
    const aggregated = path === "/api" || path === "/apis" ? aggregatedDiscoveryType(request.accept) : undefined;
    const key = `${path} ${aggregated ?? ""}`;
    const known = documentsOf(server);
    if (!known.has(key)) known.set(key, Object.freeze(documentAt(path, aggregated !== undefined, [...builtinReviews, ...server.resources()])));
    const document = known.get(key);
    return document === undefined ? undefined : found(document, aggregated);
  };
}

function documentAt(path: string, isAggregated: boolean, resources: readonly Resource[]): DiscoveryDocument | undefined {
  if (path === "/api") return isAggregated ? aggregatedDiscovery(resources, "core") : apiVersions();
  if (path === "/apis") return isAggregated ? aggregatedDiscovery(resources, "groups") : apiGroupList(resources);
  if (path === "/openapi/v3") return openApiIndex(resources);
  const [, root, ...rest] = path.split("/");
  if (root === "openapi" && rest[0] === "v3") return openApiDocument(rest.slice(1).join("/"), resources);
  if (root === "api" && rest.length === 1) return apiResourceList(resources, "", rest[0] ?? "");
  if (root === "apis" && rest.length === 1) return apiGroup(resources, rest[0] ?? "");
  if (root === "apis" && rest.length === 2) return apiResourceList(resources, rest[0] ?? "", rest[1] ?? "");
  return undefined;
}

function found(document: DiscoveryDocument, contentType?: string): ApiResponse {
  // A document is no object: it has no metadata, and needs none.
  return { kind: "object", status: 200, object: document as UnknownObject, ...(contentType === undefined ? {} : { contentType }) };
}

function health(path: string, isReady: boolean, isVerbose: boolean): ApiResponse {
  const name = path.split("/")[1] ?? "";
  if (name === "readyz" && !isReady) throw new ApiError("ServiceUnavailable", "the cluster is stopping");
  return text(isVerbose ? `[+]ping ok\n[+]etcd ok\n[+]shutdown ok\n${name} check passed\n` : "ok", "text/plain; charset=utf-8");
}

function text(content: string, contentType: string): ApiResponse {
  return { kind: "bytes", contentType, bytes: once(Buffer.from(content)) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
