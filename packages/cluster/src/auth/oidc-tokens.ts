import type { UserInfo } from "@sluice/client";
import type { Clock, Logger } from "@sluice/controller";
import { ApiError, UserError } from "@sluice/kubernetes";
import { decodeJwt, errors, jwtVerify, type JWTPayload } from "jose";
import { OidcKeys } from "./oidc-keys.ts";
import { TOKEN_ISSUER } from "./service-account-tokens.ts";

/** An OpenID Connect issuer whose tokens say who somebody is; the meanings are those of kube-apiserver's `--oidc-*` flags. */
export interface OidcOptions {
  /** Its URL, exactly as its tokens name it. */
  readonly issuer: string;
  /** Whom its tokens must be for: any of these. */
  readonly clientIds: readonly string[];
  /** The claim that is the user's name; `sub` unless given. */
  readonly usernameClaim?: string | undefined;
  /** What goes before the name, so that it is nobody else's; the issuer and `#` unless given (nothing for `email`), and nothing for `-`. */
  readonly usernamePrefix?: string | undefined;
  /** The claim that has the user's groups; they have none unless given. */
  readonly groupsClaim?: string | undefined;
  readonly groupsPrefix?: string | undefined;
  /** Claims that a token must have, and with which value. */
  readonly requiredClaims?: Readonly<Record<string, string>> | undefined;
  /** How tokens may be signed; RS256 unless given. */
  readonly signingAlgorithms?: readonly string[] | undefined;
  /** The certificates (PEM) that vouch for the issuer; those of the machine unless given. */
  readonly ca?: string | undefined;
}

/** Whom a token speaks for, and to whom of those that it was shown to. */
export interface VerifiedToken {
  readonly user: UserInfo;
  readonly audiences: string[];
}

const ALGORITHMS: readonly string[] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];
/** How far the issuer's clock may be from ours. */
const SKEW_SECONDS = 10;
const CACHE_SIZE = 1000;
/** How long a token is not looked at again: as long as a key that is withdrawn may count in vain. */
const CACHE_SECONDS = 60;

interface Remembered {
  readonly user: UserInfo;
  readonly until: number;
}

/** Verifies the tokens of an OpenID Connect issuer. */
export class OidcTokens {
  readonly #options: OidcOptions;
  readonly #clock: Clock;
  readonly #keys: OidcKeys;
  /** Tokens that are known to be right, the oldest first. */
  readonly #verified = new Map<string, Remembered>();

  constructor(options: OidcOptions, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#options = options;
    this.#clock = clock;
    this.#keys = new OidcKeys({ issuer: options.issuer, ca: options.ca, clock, logger });
    const { issuer, clientIds, signingAlgorithms = [] } = options;
    const wrong = signingAlgorithms.find((one) => !ALGORITHMS.includes(one));
    if (wrong !== undefined) throw new UserError(`tokens cannot be signed by ${wrong}`, { fix: `use one of ${ALGORITHMS.join(", ")}` });
    if (!issuer.startsWith("https://"))
      throw new UserError(`the OpenID Connect issuer ${issuer} has no https URL`, { fix: "tokens are only as safe as the way to their keys" });
    if (clientIds.length === 0) throw new UserError(`tokens of ${issuer} must be for somebody`, { fix: "give at least one client id" });
  }

  /** Whether a token says that it is this issuer's. */
  claims(token: string): boolean {
    try {
      return this.#verified.has(token) || decodeJwt(token).iss === this.#options.issuer;
    } catch {
      return false; // It is no JWT at all.
    }
  }

  /** Whom a token speaks for; throws Unauthorized, saying why. These tokens are for the API itself, whoever they name. */
  async verify(token: string, audiences: readonly string[]): Promise<VerifiedToken> {
    if (!audiences.includes(TOKEN_ISSUER)) throw refused(`the token is for ${TOKEN_ISSUER}, not for ${JSON.stringify(audiences)}`);
    const known = this.#verified.get(token);
    const user = known !== undefined && known.until > this.#clock.now() / 1000 ? known.user : await this.#check(token);
    return { user, audiences: [TOKEN_ISSUER] };
  }

  async #check(token: string): Promise<UserInfo> {
    const { issuer, clientIds, signingAlgorithms = ["RS256"] } = this.#options;
    this.#verified.delete(token);
    try {
      const { payload } = await jwtVerify(token, (header) => this.#keys.keyFor(header), {
        algorithms: [...signingAlgorithms],
        issuer,
        audience: [...clientIds],
        requiredClaims: ["exp"],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(this.#clock.now()),
      });
      const user = userOf(payload, this.#options);
      this.#remember(token, { user, until: Math.min(payload.exp ?? 0, this.#clock.now() / 1000 + CACHE_SECONDS) });
      return user;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw refused(`oidc: verify token: ${error.message}`, error);
      throw error;
    }
  }

  #remember(token: string, verified: Remembered): void {
    const oldest = this.#verified.size < CACHE_SIZE ? undefined : this.#verified.keys().next().value;
    if (oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(token, verified);
  }
}

function userOf(claims: JWTPayload, options: OidcOptions): UserInfo {
  const { issuer, usernameClaim = "sub", groupsClaim, groupsPrefix = "", requiredClaims = {} } = options;
  for (const [name, value] of Object.entries(requiredClaims)) {
    if (claims[name] !== value)
      throw refused(`oidc: required claim ${name} value does not match. Got = ${JSON.stringify(claims[name])}, want = ${value}`);
  }
  const name = claims[usernameClaim];
  if (typeof name !== "string" || name === "") throw refused(`oidc: parse username claims ${JSON.stringify(usernameClaim)}: claim not present`);
  // An issuer that says so itself does not know whose address it is.
  if (usernameClaim === "email" && claims["email_verified"] !== undefined && claims["email_verified"] !== true)
    throw refused("oidc: email not verified");
  const prefix = options.usernamePrefix ?? (usernameClaim === "email" ? "" : `${issuer}#`);
  const groups = groupsClaim === undefined ? [] : readGroups(claims[groupsClaim], groupsClaim);
  return {
    username: `${prefix === "-" ? "" : prefix}${name}`,
    groups: [...groups.map((group) => `${groupsPrefix}${group}`), "system:authenticated"],
    ...(claims.jti === undefined ? {} : { extra: { "authentication.kubernetes.io/credential-id": [`JTI=${claims.jti}`] } }),
  };
}

/** One group may be given as it is. */
function readGroups(value: unknown, claim: string): string[] {
  const groups = value === undefined ? [] : [value].flat();
  if (!groups.every((group: unknown) => typeof group === "string"))
    throw refused(`oidc: parse groups claim ${JSON.stringify(claim)}: it is no list of texts`);
  return groups.filter((group) => group !== "");
}

function refused(why: string, cause?: unknown): ApiError {
  return new ApiError("Unauthorized", why, { cause });
}
