import { get } from "node:https";
import type { Clock, Logger } from "@sluice/controller";
import { isJsonObject } from "@sluice/kubernetes";
import { createLocalJWKSet, errors, type CryptoKey, type JSONWebKeySet, type JWTHeaderParameters } from "jose";

/** Whose keys, and what to trust on the way there. */
export interface OidcKeysOptions {
  readonly issuer: string;
  /** The certificates (PEM) that vouch for the issuer; those of the machine unless given. */
  readonly ca: string | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keys are asked for again after this time, so that one that is withdrawn does not last. */
const MAX_AGE_MS = 60 * 60 * 1000;
/** Tokens with unknown keys, which anybody can make, do not make us ask more often than this. */
const COOLDOWN_MS = 10_000;
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 1024 * 1024;

type KeySet = ReturnType<typeof createLocalJWKSet>;

/** The public keys of an OpenID Connect issuer: found by its discovery document, and kept. */
export class OidcKeys {
  readonly #options: OidcKeysOptions;
  #keys: KeySet | undefined;
  #readAt = -Infinity;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(options: OidcKeysOptions) {
    this.#options = options;
  }

  /** The key that has signed a token; throws if the issuer has none such, or cannot be asked. */
  async keyFor(header: JWTHeaderParameters): Promise<CryptoKey> {
    if (this.#since(this.#readAt) > MAX_AGE_MS) await this.#ask();
    if (this.#keys === undefined) throw new errors.JOSEError(`the keys of ${this.#options.issuer} are not known`);
    try {
      return await this.#keys(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || this.#since(this.#askedAt) < COOLDOWN_MS) throw error;
      await this.#ask();
      return this.#keys(header);
    }
  }

  #since(time: number): number {
    return this.#options.clock.now() - time;
  }

  /** Asks the issuer, unless that has just been tried; keys that are known stay if it does not answer. */
  async #ask(): Promise<void> {
    if (this.#asking === undefined && this.#since(this.#askedAt) < COOLDOWN_MS) return;
    this.#asking ??= this.#read().finally(() => (this.#asking = undefined));
    await this.#asking;
  }

  async #read(): Promise<void> {
    const { issuer, ca, clock, logger } = this.#options;
    this.#askedAt = clock.now();
    try {
      const about = await readJson(`${issuer.replace(/\/$/u, "")}/.well-known/openid-configuration`, ca);
      const { issuer: named, jwks_uri: location } = about;
      if (named !== issuer) throw new Error(`it calls itself ${JSON.stringify(named)}`);
      if (typeof location !== "string") throw new Error("it does not say where its keys are");
      const { keys } = await readJson(location, ca);
      if (!Array.isArray(keys)) throw new Error(`${location} is no set of keys`);
      // What is no key among them is never chosen.
      this.#keys = createLocalJWKSet({ keys } as JSONWebKeySet);
      this.#readAt = this.#askedAt;
    } catch (error) {
      logger.warn("the keys of an OpenID Connect issuer could not be read", { issuer, error });
    }
  }
}

async function readJson(url: string, ca: string | undefined): Promise<Record<string, unknown>> {
  const text = await readText(url, ca);
  const value: unknown = JSON.parse(text);
  if (!isJsonObject(value)) throw new Error(`${url} is no JSON object`);
  return value;
}

function readText(url: string, ca: string | undefined): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = get(url, { ...(ca === undefined ? {} : { ca }), signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
    const chunks: Buffer[] = [];
    let size = 0;
    if (response.statusCode !== 200) {
      request.destroy(new Error(`${url} answered with ${response.statusCode}`));
      return;
    }
    response.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BYTES) request.destroy(new Error(`${url} is longer than ${MAX_BYTES} bytes`));
      else chunks.push(chunk);
    });
    response.once("end", () => resolve(Buffer.concat(chunks).toString()));
    response.once("error", reject);
  });
  request.once("error", reject);
  return promise;
}
