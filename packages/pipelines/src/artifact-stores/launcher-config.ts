import { UserError } from "@sluice/kubernetes";
import { parse } from "yaml";
import { decode, type Kind, type Shape } from "../domain/ir-shape.ts";

/** The ConfigMap that says where a namespace's artifacts go. */
export const LAUNCHER_CONFIG = "kfp-launcher";

/** Where credentials come from: one of the three, or nothing said. */
export interface CredentialSettings {
  readonly fromEnv?: boolean;
  readonly anonymous?: boolean;
  readonly secretRef?: {
    readonly secretName?: string;
    readonly accessKeyKey?: string;
    readonly secretKeyKey?: string;
    /** Of a secret that holds a Google service account's key. */
    readonly tokenKey?: string;
  };
}

/** How stores of one provider are reached. */
export interface ProviderSettings {
  readonly endpoint?: string;
  readonly region?: string;
  readonly disableSSL?: boolean;
  readonly forcePathStyle?: boolean;
  readonly maxRetries?: number;
  readonly credentials?: CredentialSettings;
}

/** What is otherwise for the objects of one bucket whose keys start so. */
interface ProviderOverride extends ProviderSettings {
  readonly bucketName: string;
  readonly keyPrefix?: string;
}

/** One provider. */
interface Provider {
  readonly default?: ProviderSettings;
  readonly overrides?: readonly ProviderOverride[];
}

/** The schemes that have providers. */
export type ProviderName = "minio" | "s3" | "gs";

/** The providers of a namespace. */
export type Providers = Readonly<Partial<Record<ProviderName, Provider>>>;

const credentials: Shape = {
  fields: {
    fromEnv: "boolean",
    anonymous: "boolean",
    secretRef: { fields: { secretName: "string", accessKeyKey: "string", secretKeyKey: "string", tokenKey: "string" }, required: ["secretName"] },
  },
};
const settings: Readonly<Record<string, Kind>> = {
  ...{ endpoint: "string", region: "string", disableSSL: "boolean", forcePathStyle: "boolean", maxRetries: "integer" },
  credentials,
};
const overrides: Kind = { list: { fields: { ...settings, bucketName: "string", keyPrefix: "string" }, required: ["bucketName"] } };
// Upstream reads the names of fields whatever their case, and writes this one in both ways.
const provider: Shape = { fields: { default: { fields: settings }, overrides, Overrides: overrides } };
const providers: Shape = { fields: { minio: provider, s3: provider, gs: provider } };

/** Reads `providers` of a `kfp-launcher` ConfigMap (YAML); `UserError` names what is wrong and where. */
export function parseProviders(text: string, namespace: string): Providers {
  const document = `ConfigMap ${namespace}/${LAUNCHER_CONFIG}`;
  let value: unknown;
  try {
    value = parse(text);
  } catch (cause) {
    throw new UserError(`${document}: providers: not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
  const read = decode(value ?? {}, providers, document, "providers") as Record<string, Provider & { readonly Overrides?: Provider["overrides"] }>;
  return Object.fromEntries(
    Object.entries(read).map(([name, { Overrides = [], overrides: own = [], ...rest }]) => [name, { ...rest, overrides: [...own, ...Overrides] }]),
  );
}
