import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import type { UserInfo } from "@sluice/client";
import type { Clock } from "@sluice/controller";
import { ApiError, isJsonObject, type ObjectKey, type UnknownObject } from "@sluice/kubernetes";
import { errors, exportJWK, jwtVerify, SignJWT, type JWK } from "jose";

/** Who issues the tokens of service accounts, and whom they are for unless told. */
export const TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local";

/** What a token speaks for, and what it does not outlive. */
export interface TokenSubject {
  readonly account: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly bound?: { readonly kind: BoundKind; readonly name: string; readonly uid: string };
  /** Where the pod that it is bound to runs, which the token only tells. */
  readonly node?: { readonly name: string; readonly uid: string };
}

/** The kinds of objects that a token can be bound to. */
export type BoundKind = keyof typeof BOUND_TABLES;

/** Where the store keeps what a token can be bound to. */
export const BOUND_TABLES = { Pod: "pods", Secret: "secrets", Node: "nodes" } as const;

/** What the tokens are made of, and where it is looked up whether their subjects still exist. */
export interface ServiceAccountTokensOptions {
  readonly key: KeyObject;
  readonly find: (table: string, key: ObjectKey) => UnknownObject | undefined;
  readonly clock: Clock;
  readonly newId: () => string;
}

interface Claims {
  readonly subject: TokenSubject;
  readonly id: string;
  readonly audiences: readonly string[];
  readonly notBefore: number;
  readonly expires: number;
}

const CACHE_SIZE = 1000;
const FAREWELL_MS = 60_000;

/** Issues and verifies the tokens by which pods act as their service accounts: JWTs, signed by ES256. */
export class ServiceAccountTokens {
  readonly #options: ServiceAccountTokensOptions;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  /** Tokens whose signature is known to be right, the oldest first. */
  readonly #verified = new Map<string, Claims>();

  constructor(options: ServiceAccountTokensOptions) {
    this.#options = options;
    this.#publicKey = createPublicKey(options.key);
    this.#keyId = createHash("sha256")
      .update(this.#publicKey.export({ format: "der", type: "spki" }))
      .digest("base64url");
  }

  /** A token for `seconds` from now, and when that is over. */
  async issue(
    subject: TokenSubject,
    options: { readonly audiences: readonly string[]; readonly seconds: number },
  ): Promise<{ token: string; expires: number }> {
    const { key, clock, newId } = this.#options;
    const { account, bound, node } = subject;
    const now = Math.floor(clock.now() / 1000);
    const expires = now + options.seconds;
    const about = {
      namespace: account.namespace,
      ...(bound === undefined ? {} : { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } }),
      ...(node === undefined ? {} : { node }),
      serviceaccount: { name: account.name, uid: account.uid },
    };
    const token = await new SignJWT({ "kubernetes.io": about })
      .setProtectedHeader({ alg: "ES256", kid: this.#keyId })
      .setIssuer(TOKEN_ISSUER)
      .setSubject(usernameOf(account))
      .setAudience([...options.audiences])
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(expires)
      .setJti(newId())
      .sign(key);
    return { token, expires: expires * 1000 };
  }

  /** Whom a token speaks for and to which of `audiences`; throws Unauthorized, saying why. */
  async verify(token: string, audiences: readonly string[]): Promise<{ user: UserInfo; audiences: string[] }> {
    const claims = this.#verified.get(token) ?? (await this.#check(token));
    const now = this.#options.clock.now() / 1000;
    if (claims.expires <= now) throw refused("the token has expired");
    if (claims.notBefore > now) throw refused("the token is not valid yet");
    const common = claims.audiences.filter((audience) => audiences.includes(audience));
    if (common.length === 0)
      throw refused(`the token audiences ${JSON.stringify(claims.audiences)} is invalid for the target audiences ${JSON.stringify(audiences)}`);
    this.#requireSubject(claims.subject);
    return { user: userOf(claims), audiences: common };
  }

  /** The public key, as OpenID Connect publishes it. */
  async publicKeys(): Promise<{ readonly keys: readonly JWK[] }> {
    return { keys: [{ ...(await exportJWK(this.#publicKey)), use: "sig", alg: "ES256", kid: this.#keyId }] };
  }

  async #check(token: string): Promise<Claims> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: ["ES256"],
        issuer: TOKEN_ISSUER,
        requiredClaims: ["sub", "aud", "exp", "nbf"],
        currentDate: new Date(this.#options.clock.now()),
      });
      const subject = subjectOf(payload["kubernetes.io"]);
      if (subject === undefined || payload.sub !== usernameOf(subject.account)) throw refused("the token does not say whom it is for");
      const { aud = [], exp = 0, nbf = 0, jti = "" } = payload;
      const claims: Claims = { subject, id: jti, audiences: [aud].flat(), expires: exp, notBefore: nbf };
      this.#remember(token, claims);
      return claims;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw refused(error.message, error);
      throw error;
    }
  }

  #remember(token: string, claims: Claims): void {
    const oldest = this.#verified.size < CACHE_SIZE ? undefined : this.#verified.keys().next().value;
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(token, claims);
  }

  #requireSubject({ account, bound }: TokenSubject): void {
    const { namespace } = account;
    this.#requireAlive("serviceaccounts", { namespace, name: account.name }, account.uid);
    if (bound !== undefined)
      this.#requireAlive(BOUND_TABLES[bound.kind], { ...(bound.kind === "Node" ? {} : { namespace }), name: bound.name }, bound.uid);
  }

  /** What is being deleted may speak for a little longer, so that it can end well. */
  #requireAlive(table: string, key: ObjectKey, uid: string): void {
    const { find, clock } = this.#options;
    const metadata = find(table, key)?.metadata;
    const isOver = metadata?.deletionTimestamp !== undefined && Date.parse(metadata.deletionTimestamp) < clock.now() - FAREWELL_MS;
    if (metadata?.uid !== uid || isOver) throw refused("service account token has been invalidated");
  }
}

/** The user name of a service account. */
export function usernameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** The groups that every service account of a namespace is in. */
export function accountGroups(namespace: string): string[] {
  return ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
}

function userOf({ id, subject: { account, bound, node } }: Claims): UserInfo {
  const pod = bound?.kind === "Pod" ? bound : undefined;
  const on = bound?.kind === "Node" ? bound : node;
  const prefix = "authentication.kubernetes.io";
  return {
    username: usernameOf(account),
    uid: account.uid,
    groups: [...accountGroups(account.namespace), "system:authenticated"],
    extra: {
      [`${prefix}/credential-id`]: [`JTI=${id}`],
      ...(pod === undefined ? {} : { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] }),
      ...(on === undefined ? {} : { [`${prefix}/node-name`]: [on.name], [`${prefix}/node-uid`]: [on.uid] }),
    },
  };
}

function subjectOf(about: unknown): TokenSubject | undefined {
  if (!isJsonObject(about) || typeof about["namespace"] !== "string") return undefined;
  const account = referenceOf(about["serviceaccount"]);
  if (account === undefined) return undefined;
  const kind = (["Pod", "Secret", "Node"] as const).find((one) => one.toLowerCase() in about);
  const bound = kind === undefined ? undefined : referenceOf(about[kind.toLowerCase()]);
  const node = kind === "Pod" ? referenceOf(about["node"]) : undefined;
  return {
    account: { ...account, namespace: about["namespace"] },
    ...(kind === undefined || bound === undefined ? {} : { bound: { ...bound, kind } }),
    ...(node === undefined ? {} : { node }),
  };
}

function referenceOf(value: unknown): { readonly name: string; readonly uid: string } | undefined {
  if (!isJsonObject(value)) return undefined;
  const { name, uid } = value;
  return typeof name === "string" && typeof uid === "string" ? { name, uid } : undefined;
}

function refused(why: string, cause?: unknown): ApiError {
  return new ApiError("Unauthorized", why, { cause });
}
