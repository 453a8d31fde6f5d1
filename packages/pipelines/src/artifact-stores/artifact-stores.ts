import type { Client } from "@sluice/client";
import { defineResource, isApiError, UserError, ApiError, type KubernetesObject, type Resource } from "@sluice/kubernetes";
import {
  canonicalUri,
  fileStore,
  gsStore,
  httpStore,
  type ObjectInfo,
  type ObjectStore,
  parseObjectUri,
  s3Store,
  scopedStore,
  type UriScheme,
} from "@sluice/object-store";
import { LAUNCHER_CONFIG, parseProviders, type Providers } from "./launcher-config.ts";
import { type CredentialPlan, DEFAULT_SECRET, planStore, type StorePlan } from "./store-plan.ts";

const DEFAULT_PIPELINE_ROOT = "minio://mlpipeline/v2/artifacts";
/** How many stores on the network are kept open. */
const MAX_OPEN = 32;

/** What an installation allows beyond what a namespace's own ConfigMap and Secrets can. */
export interface ArtifactSettings {
  /** Namespaces that may use the cloud credentials of the program itself (`fromEnv`). */
  readonly environmentCredentials?: readonly string[] | undefined;
  /** Hosts (`host` or `host:port`) that importers of the web and endpoints of stores may ask although they are not of the public internet. */
  readonly privateHosts?: readonly string[] | undefined;
  /** Directories of this machine that `file:` URIs may lead to, of some namespaces or of all. */
  readonly directories?:
    | readonly { readonly path: string; readonly readOnly?: boolean | undefined; readonly namespaces?: readonly string[] | undefined }[]
    | undefined;
}

/** What is wanted of a namespace's stores. */
export interface AccessOptions {
  /** How the artifact's store is reached where its pipeline root said so: what followed "?". */
  readonly query?: string | undefined;
  /** Whether the web may be read as well, which only tasks do. */
  readonly withWeb?: boolean;
}

/** What artifact stores work with. */
export interface ArtifactStoresOptions {
  /** The embedded store, of which each namespace has a part of its own. */
  readonly embedded: ObjectStore;
  readonly client: Client;
  readonly settings?: ArtifactSettings | undefined;
}

interface ConfigObject extends KubernetesObject {
  data?: Readonly<Record<string, string>>;
}

const CONFIG_MAPS: Resource<ConfigObject> = defineResource({
  ...{ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", scope: "Namespaced", schema: {} },
});
const SECRETS: Resource<ConfigObject> = defineResource({
  ...{ group: "", version: "v1", kind: "Secret", plural: "secrets", scope: "Namespaced", schema: {} },
});

/**
 * All stores that artifacts lie in, each namespace for itself: which one a URI belongs to is decided by that namespace's `kfp-launcher`
 * ConfigMap and Secrets as they are when somebody begins to use its artifacts. Nothing that a namespace does reaches another's.
 */
export class ArtifactStores {
  readonly #options: ArtifactStoresOptions;
  readonly #web: ObjectStore;
  /** Stores on the network, by how they are reached; used last, last. */
  readonly #open = new Map<string, ObjectStore>();

  constructor(options: ArtifactStoresOptions) {
    this.#options = options;
    this.#web = httpStore({ privateHosts: options.settings?.privateHosts ?? [] });
  }

  /** The objects of a namespace, wherever they are. To be asked for anew whenever something begins, as what it finds out it keeps. */
  of(namespace: string, { query = "", withWeb = false }: AccessOptions = {}): ObjectStore {
    let providers: Promise<Providers> | undefined;
    const findOnline = async (plan: Exclude<StorePlan, { kind: "embedded" }>): Promise<ObjectStore> =>
      plan.kind === "s3" ? this.#s3(plan, namespace) : this.#gs(plan, namespace);
    const find = async (scheme: UriScheme, uri: string): Promise<ObjectStore> => {
      switch (scheme) {
        case "http":
        case "https":
          if (withWeb) return this.#web;
          throw new ApiError("BadRequest", `${uri} lies on the web and not in a store: ask for it there`);
        case "oci":
          throw new ApiError("BadRequest", `${uri} is an image: its files are mounted where a task uses it, and cannot be read otherwise`);
        case "file":
          return this.#files(namespace);
        case "minio":
        case "s3":
        case "gs": {
          providers ??= this.#providers(namespace);
          const plan = planStore(parseObjectUri(uri), { providers: await providers, query, namespace });
          return plan.kind === "embedded" ? scopedStore(this.#options.embedded, namespace) : findOnline(plan);
        }
      }
    };
    return routedStore(find, () => (providers = undefined));
  }

  /** Where artifacts of the namespace's runs go unless they say otherwise. */
  async defaultRootOf(namespace: string): Promise<string> {
    const root = (await this.#config(namespace))["defaultPipelineRoot"]?.trim() ?? "";
    return root === "" ? DEFAULT_PIPELINE_ROOT : root;
  }

  /** Lets go of all connections. */
  async close(): Promise<void> {
    const all = [...this.#open.values()];
    this.#open.clear();
    for (const store of all) await store[Symbol.asyncDispose]();
  }

  async #config(namespace: string): Promise<Readonly<Record<string, string>>> {
    return (await this.#options.client.find(CONFIG_MAPS, { namespace, name: LAUNCHER_CONFIG }))?.data ?? {};
  }

  async #providers(namespace: string): Promise<Providers> {
    const text = (await this.#config(namespace))["providers"] ?? "";
    return text.trim() === "" ? {} : parseProviders(text, namespace);
  }

  #files(namespace: string): ObjectStore {
    const directories = (this.#options.settings?.directories ?? []).filter(({ namespaces }) => namespaces?.includes(namespace) ?? true);
    return fileStore(directories.map(({ path, readOnly = false }) => ({ path, isReadOnly: readOnly })));
  }

  async #s3({ settings, credentials }: Extract<StorePlan, { kind: "s3" }>, namespace: string): Promise<ObjectStore> {
    const { endpoint = "", region, disableSSL, forcePathStyle, maxRetries } = settings;
    // Amazon has an endpoint of its own in each region.
    const own = /^(https?:\/\/)?s3(\.[a-z0-9-]+)?\.amazonaws\.com\/?$/u.test(endpoint) ? "" : endpoint;
    const keys = await this.#keys(credentials, namespace);
    const options = {
      ...(own === "" ? {} : { endpoint: own }),
      ...(region === undefined ? {} : { region }),
      ...(disableSSL === undefined ? {} : { isPlain: disableSSL }),
      ...(forcePathStyle === undefined ? {} : { isPathStyle: forcePathStyle }),
      ...(maxRetries === undefined ? {} : { maxRetries }),
      credentials: keys,
      privateHosts: this.#options.settings?.privateHosts ?? [],
      name: `the store at ${own === "" ? `s3.${region ?? "us-east-1"}.amazonaws.com` : own}`,
    };
    return this.#pooled(["s3", options], () => s3Store(options));
  }

  async #gs({ endpoint, credentials }: Extract<StorePlan, { kind: "gs" }>, namespace: string): Promise<ObjectStore> {
    const options = {
      ...(endpoint === undefined ? {} : { endpoint }),
      credentials: await this.#token(credentials, namespace),
      privateHosts: this.#options.settings?.privateHosts ?? [],
      name: endpoint === undefined ? "Google Cloud Storage" : `the store at ${endpoint}`,
    };
    return this.#pooled(["gs", options], () => gsStore(options));
  }

  #pooled(key: unknown, make: () => ObjectStore): ObjectStore {
    const text = JSON.stringify(key);
    const store = this.#open.get(text) ?? make();
    this.#open.delete(text);
    this.#open.set(text, store);
    const [oldest] = this.#open.keys();
    // Whoever still uses it does so to the end: idle connections end by themselves.
    if (this.#open.size > MAX_OPEN && oldest !== undefined) this.#open.delete(oldest);
    return store;
  }

  async #keys(
    plan: CredentialPlan,
    namespace: string,
  ): Promise<"environment" | "anonymous" | { readonly accessKeyId: string; readonly secretAccessKey: string }> {
    if (plan.from === "anonymous") return "anonymous";
    if (plan.from === "environment") return this.#environment(namespace);
    if (plan.from === "token") throw new UserError(`Secret ${namespace}/${plan.secret} holds a token, which S3 does not know`);
    const { secret, accessKeyKey, secretKeyKey } = plan;
    if (plan.isDefault === true && (await this.#secret(namespace, secret)) === undefined) {
      if (this.#mayUseEnvironment(namespace)) return "environment";
      const where = `ConfigMap ${namespace}/${LAUNCHER_CONFIG} names no credentials, and there is no Secret ${namespace}/${DEFAULT_SECRET}`;
      throw new UserError(`${where}. Create it with the keys accesskey and secretkey`);
    }
    const [accessKeyId, secretAccessKey] = [await this.#value(namespace, secret, accessKeyKey), await this.#value(namespace, secret, secretKeyKey)];
    return { accessKeyId, secretAccessKey };
  }

  async #token(plan: CredentialPlan, namespace: string): Promise<"environment" | "anonymous" | { readonly key: string }> {
    if (plan.from === "anonymous") return "anonymous";
    if (plan.from === "environment") return this.#environment(namespace);
    if (plan.from === "keys") throw new UserError(`Secret ${namespace}/${plan.secret} holds keys, and a token is needed`);
    const key = await this.#value(namespace, plan.secret, plan.tokenKey);
    try {
      JSON.parse(key);
    } catch (cause) {
      throw new UserError(`Secret ${namespace}/${plan.secret}: ${plan.tokenKey} is not a service account's key in JSON`, { cause });
    }
    return { key };
  }

  #mayUseEnvironment(namespace: string): boolean {
    return this.#options.settings?.environmentCredentials?.includes(namespace) === true;
  }

  #environment(namespace: string): "environment" {
    if (this.#mayUseEnvironment(namespace)) return "environment";
    const why = `ConfigMap ${namespace}/${LAUNCHER_CONFIG} asks for fromEnv, and this namespace may not use the credentials of Sluice itself`;
    throw new UserError(`${why}. Name a secretRef, or have the namespace added to artifacts.environmentCredentials in sluice.yaml`);
  }

  async #secret(namespace: string, name: string): Promise<ConfigObject | undefined> {
    return this.#options.client.find(SECRETS, { namespace, name });
  }

  async #value(namespace: string, name: string, key: string): Promise<string> {
    const secret = await this.#secret(namespace, name);
    if (secret === undefined) throw new UserError(`there is no Secret ${namespace}/${name}, which ConfigMap ${LAUNCHER_CONFIG} names. Create it`);
    const value = secret.data !== undefined && Object.hasOwn(secret.data, key) ? secret.data[key] : undefined;
    if (value === undefined) {
      const known = Object.keys(secret.data ?? {}).join(", ");
      throw new UserError(`Secret ${namespace}/${name} has no key ${JSON.stringify(key)}; it has ${known === "" ? "none" : known}`);
    }
    return Buffer.from(value, "base64").toString("utf8").trim();
  }
}

/** Sends each URI to the store that `find` says. What is refused there is tried once more with credentials as they are then. */
function routedStore(find: (scheme: UriScheme, uri: string) => Promise<ObjectStore>, forget: () => void): ObjectStore {
  const route = (uri: string): { readonly scheme: UriScheme; readonly uri: string } => {
    // The files of an artifact have literal names; `parseObjectUri` has the last word on them.
    const [, scheme] = /^(minio|s3|gs):\/\//u.exec(uri) ?? [];
    return scheme === undefined ? canonicalUri(uri) : { scheme: scheme as UriScheme, uri };
  };
  const use = async <R>(given: string, work: (store: ObjectStore, uri: string) => Promise<R>): Promise<R> => {
    const { scheme, uri } = route(given);
    const store = await find(scheme, uri);
    try {
      return await work(store, uri);
    } catch (error) {
      if (!isApiError(error, "Forbidden")) throw error;
      forget();
      const fresh = await find(scheme, uri);
      // The same store, or one that would say the same.
      if (fresh === store || scheme === "file" || scheme === "http" || scheme === "https") throw error;
      return work(fresh, uri);
    }
  };
  return {
    putFile: (uri, path) => use(uri, (store, own) => store.putFile(own, path)),
    put: (uri, bytes) => {
      if (bytes instanceof Uint8Array) return use(uri, (store, own) => store.put(own, bytes));
      // What has flowed by cannot be sent again.
      const { scheme, uri: own } = route(uri);
      return find(scheme, own).then((store) => store.put(own, bytes));
    },
    getFile: (uri, path) => use(uri, (store, own) => store.getFile(own, path)),
    async *get(uri, range) {
      yield* await use(uri, async (store, own) => begun(store.get(own, range)));
    },
    stat: (uri) => use<ObjectInfo | undefined>(uri, (store, own) => store.stat(own)),
    async *list(uri) {
      yield* await use(uri, async (store, own) => begun(store.list(own)));
    },
    delete: (uri) => use(uri, (store, own) => store.delete(own)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** The items, of which the first is there already: so what cannot begin fails now. */
async function begun<T>(items: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  return (async function* () {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  })();
}
