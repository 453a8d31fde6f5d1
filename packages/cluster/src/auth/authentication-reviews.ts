import type { UserInfo } from "@sluice/client";
import {
  isApiError,
  isJsonObject,
  SelfSubjectReview,
  TokenReview,
  type AuthenticationTokenRequest,
  type ObjectKey,
  type Pod,
  type UnknownObject,
} from "@sluice/kubernetes";
import { conflict, notFound } from "../api-server/api-errors.ts";
import type { VirtualResource } from "../api-server/registry.ts";
import { timestamp } from "../api-server/request-context.ts";
import { answered, collectionOf } from "./access-reviews.ts";
import type { VerifiedToken } from "./oidc-tokens.ts";
import { readReview, refusedReview, type ReviewKind } from "./read-review.ts";
import { BOUND_TABLES, TOKEN_ISSUER, type BoundKind, type ServiceAccountTokens, type TokenSubject } from "./service-account-tokens.ts";

const TOKEN_REQUEST: ReviewKind<AuthenticationTokenRequest> = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenRequest",
  schema: { ref: "io.k8s.api.authentication.v1.TokenRequest" },
};
const SHORTEST_SECONDS = 600;
const LONGEST_SECONDS = 2 ** 32;

/** What the reviews look things up in. */
export interface AuthenticationReviewsOptions {
  readonly tokens: ServiceAccountTokens;
  /** Whom any token speaks for; throws Unauthorized. */
  readonly verify: (token: string, audiences: readonly string[]) => Promise<VerifiedToken>;
  readonly find: (table: string, key: ObjectKey) => UnknownObject | undefined;
}

/** The kinds of authentication.k8s.io, and the subresource by which service accounts get tokens. */
export function authenticationReviews({ tokens, verify, find }: AuthenticationReviewsOptions): VirtualResource[] {
  return [
    {
      ...collectionOf(SelfSubjectReview),
      answer: async (request, user) => answered(readReview(request, SelfSubjectReview), { userInfo: userInfo(user) }),
    },
    {
      ...collectionOf(TokenReview),
      answer: async (request) => {
        const review = readReview(request, TokenReview);
        const { token = "", audiences = [] } = review.spec;
        try {
          const verified = await verify(token, audiences.length === 0 ? [TOKEN_ISSUER] : audiences);
          return answered(review, { authenticated: true, user: userInfo(verified.user), audiences: verified.audiences });
        } catch (error) {
          if (!isApiError(error, "Unauthorized")) throw error;
          return answered(review, { error: `[invalid bearer token, ${error.message}]` });
        }
      },
    },
    {
      group: "",
      version: "v1",
      plural: "serviceaccounts",
      subresource: "token",
      method: "POST",
      answer: async (request, _, { namespace = "", name = "" }) => {
        const review = readReview({ ...request, body: withAudiences(request.body) }, TOKEN_REQUEST);
        const { audiences, expirationSeconds = 3600 } = review.spec;
        const problem = lifetimeProblem(expirationSeconds);
        if (problem !== undefined) {
          throw refusedReview(TOKEN_REQUEST, [
            { reason: "FieldValueInvalid", field: "spec.expirationSeconds", message: `Invalid value: ${expirationSeconds}: ${problem}` },
          ]);
        }
        const subject = subjectOf(find, { namespace, name }, review);
        const spec = { ...review.spec, audiences: audiences.length === 0 ? [TOKEN_ISSUER] : audiences, expirationSeconds };
        const { token, expires } = await tokens.issue(subject, { audiences: spec.audiences, seconds: expirationSeconds });
        const metadata = { ...review.metadata, namespace, name };
        return answered({ ...review, metadata, spec }, { token, expirationTimestamp: timestamp(expires) });
      },
    },
  ];
}

/** Clients leave the audiences out, though the schema wants them. */
function withAudiences(body: unknown): unknown {
  if (!isJsonObject(body)) return body;
  const spec = isJsonObject(body["spec"]) ? body["spec"] : {};
  return { ...body, spec: { ...spec, audiences: spec["audiences"] ?? [] } };
}

function lifetimeProblem(seconds: number): string | undefined {
  if (seconds < SHORTEST_SECONDS) return "may not specify a duration less than 10 minutes";
  return seconds > LONGEST_SECONDS ? `may not specify a duration larger than ${LONGEST_SECONDS} seconds` : undefined;
}

/** The account and what its token is to be bound to; both must exist. */
function subjectOf(
  find: AuthenticationReviewsOptions["find"],
  key: { readonly namespace: string; readonly name: string },
  { spec }: AuthenticationTokenRequest,
): TokenSubject {
  const account = { ...key, uid: uidOf(find, "serviceaccounts", key, undefined) };
  const reference = spec.boundObjectRef;
  if (reference === undefined) return { account };
  const { kind, name = "", uid } = reference;
  if (!isBoundKind(kind)) {
    const message = `Unsupported value: ${JSON.stringify(kind ?? "")}: supported values: "Pod", "Secret", "Node"`;
    throw refusedReview(TOKEN_REQUEST, [{ reason: "FieldValueNotSupported", field: "spec.boundObjectRef.kind", message }]);
  }
  const bound = kind === "Node" ? { name } : { namespace: key.namespace, name };
  const node = kind === "Pod" ? nodeOf(find, bound) : undefined;
  return { account, bound: { kind, name, uid: uidOf(find, BOUND_TABLES[kind], bound, uid) }, ...(node === undefined ? {} : { node }) };
}

/** The node that a pod is bound to. */
function nodeOf(find: AuthenticationReviewsOptions["find"], pod: ObjectKey): TokenSubject["node"] {
  const { nodeName: name = "" } = (find("pods", pod) as (UnknownObject & Pod) | undefined)?.spec ?? {};
  const uid = name === "" ? undefined : find("nodes", { name })?.metadata.uid;
  return uid === undefined ? undefined : { name, uid };
}

function isBoundKind(kind: string | undefined): kind is BoundKind {
  return kind !== undefined && Object.hasOwn(BOUND_TABLES, kind);
}

function uidOf(find: AuthenticationReviewsOptions["find"], plural: string, key: ObjectKey, expected: string | undefined): string {
  const uid = find(plural, key)?.metadata.uid;
  if (uid === undefined) throw notFound({ plural, group: "" }, key.name);
  if (expected !== undefined && expected !== "" && expected !== uid) {
    throw conflict(
      { plural, group: "" },
      key.name,
      `the UID in the bound object reference (${expected}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  return uid;
}

function userInfo({ username, uid, groups, extra }: UserInfo): object {
  return { username, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) };
}
