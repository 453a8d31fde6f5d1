import { UserError } from "@sluice/kubernetes";
import type { ObjectAddress } from "@sluice/object-store";
import { type CredentialSettings, LAUNCHER_CONFIG, type ProviderName, type Providers, type ProviderSettings } from "./launcher-config.ts";

/** The secret with the keys of stores that name no other, and its keys. */
export const DEFAULT_SECRET = "mlpipeline-minio-artifact";
const DEFAULT_KEYS = { accessKeyKey: "accesskey", secretKeyKey: "secretkey" };
/** Google speaks S3 here, to those who have HMAC keys. */
const GOOGLE_S3 = "https://storage.googleapis.com";

/** Where a store's credentials are to be had. `default` is the default secret if there is one. */
export type CredentialPlan =
  | { readonly from: "environment" }
  | { readonly from: "anonymous" }
  | { readonly from: "keys"; readonly secret: string; readonly accessKeyKey: string; readonly secretKeyKey: string; readonly isDefault?: true }
  | { readonly from: "token"; readonly secret: string; readonly tokenKey: string };

/** Which store an object is in. */
export type StorePlan =
  | { readonly kind: "embedded" }
  | {
      readonly kind: "s3";
      readonly settings: ProviderSettings;
      readonly credentials: CredentialPlan;
    }
  | { readonly kind: "gs"; readonly endpoint?: string; readonly credentials: CredentialPlan };

/** What a decision is made on. */
export interface PlanOptions {
  readonly providers: Providers;
  /** What followed "?" in the pipeline root, if anything did. */
  readonly query: string;
  readonly namespace: string;
}

/**
 * Decides which store an object is in: one that the namespace's providers, or its pipeline root, describe, or else the embedded one. The
 * first override whose bucket and prefix fit completes and overrules the provider's default.
 */
export function planStore({ bucket, key }: ObjectAddress, { providers, query, namespace }: PlanOptions): StorePlan {
  const [scheme = "", name = ""] = bucket.split("://");
  const provider = scheme as ProviderName;
  const { default: common, overrides = [] } = providers[provider] ?? {};
  const special = overrides.find(({ bucketName, keyPrefix = "" }) => bucketName === name && `${key}/`.startsWith(keyPrefix.replace(/^\/+/u, "")));
  const asked = query === "" ? undefined : queryOf(query);
  if (common === undefined && special === undefined && asked === undefined) return { kind: "embedded" };
  const settings: ProviderSettings = { ...common, ...special, ...asked };
  const fault = (what: string, fix: string): UserError =>
    new UserError(`ConfigMap ${namespace}/${LAUNCHER_CONFIG}: providers.${provider}: ${what}. ${fix}`);
  const { credentials = {}, endpoint = "" } = settings;
  if (provider === "gs" && credentials.secretRef?.accessKeyKey === undefined) {
    const isRedirected = asked?.endpoint !== undefined;
    // A token could be read by whoever answers there, and a pipeline root is not the word of whoever may read the secret.
    const plan: CredentialPlan = isRedirected ? { from: "anonymous" } : googleCredentials(credentials, fault);
    return { kind: "gs", credentials: plan, ...(endpoint === "" ? {} : { endpoint }) };
  }
  if (provider === "minio" && endpoint === "") throw fault("a MinIO needs an endpoint", "Set endpoint to its host:port");
  return {
    kind: "s3",
    settings: { ...settings, ...(provider === "gs" ? { region: "auto", ...(endpoint === "" ? { endpoint: GOOGLE_S3 } : {}) } : {}) },
    credentials: keyCredentials(credentials, fault),
  };
}

type Fault = (what: string, fix: string) => UserError;

function keyCredentials({ fromEnv, anonymous, secretRef }: CredentialSettings, fault: Fault): CredentialPlan {
  if (fromEnv === true) return { from: "environment" };
  if (anonymous === true) return { from: "anonymous" };
  if (secretRef === undefined) return { from: "keys", secret: DEFAULT_SECRET, ...DEFAULT_KEYS, isDefault: true };
  const { secretName = DEFAULT_SECRET, accessKeyKey = DEFAULT_KEYS.accessKeyKey, secretKeyKey = DEFAULT_KEYS.secretKeyKey, tokenKey } = secretRef;
  if (tokenKey !== undefined) throw fault("credentials.secretRef.tokenKey is for gs", "Give accessKeyKey and secretKeyKey");
  return { from: "keys", secret: secretName, accessKeyKey, secretKeyKey };
}

function googleCredentials({ fromEnv, anonymous, secretRef }: CredentialSettings, fault: Fault): CredentialPlan {
  if (fromEnv === true) return { from: "environment" };
  if (secretRef === undefined || anonymous === true) return { from: "anonymous" };
  const { secretName = "", tokenKey } = secretRef;
  if (tokenKey === undefined) {
    throw fault(
      "credentials.secretRef names no key of the secret",
      "Give tokenKey, for a service account's key, or accessKeyKey and secretKeyKey, for HMAC keys",
    );
  }
  return { from: "token", secret: secretName, tokenKey };
}

const QUERY_FIELDS: Readonly<Record<string, keyof ProviderSettings>> = {
  ...{ endpoint: "endpoint", region: "region", maxRetries: "maxRetries" },
  ...{ disableSSL: "disableSSL", disable_https: "disableSSL" },
  ...{ s3ForcePathStyle: "forcePathStyle", use_path_style: "forcePathStyle", forcePathStyle: "forcePathStyle" },
};

/** What a pipeline root says after "?" of how its store is reached. */
function queryOf(query: string): ProviderSettings {
  const settings: Record<string, string | number | boolean> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const field = Object.hasOwn(QUERY_FIELDS, name) ? QUERY_FIELDS[name] : undefined;
    const wrong = (what: string): UserError => new UserError(`the pipeline root's ?${name}=${value}: ${what}`);
    if (field === undefined) throw wrong(`nothing is called so; known are ${Object.keys(QUERY_FIELDS).join(", ")}`);
    if (field === "disableSSL" || field === "forcePathStyle") {
      if (value !== "true" && value !== "false") throw wrong("it is true or false");
      settings[field] = value === "true";
    } else if (field === "maxRetries") {
      if (!/^\d{1,2}$/u.test(value)) throw wrong("it is a number below 100");
      settings[field] = Number(value);
    } else settings[field] = value;
  }
  return settings;
}
