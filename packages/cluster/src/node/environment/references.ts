import type { Client } from "@sluice/client";
import { ConfigMap, Secret } from "@sluice/kubernetes";
import { ConfigError } from "./config-error.ts";

/** The content of a config map or secret. */
export type Content = ReadonlyMap<string, Buffer>;

/** How a pod refers to one. */
export interface Reference {
  readonly kind: "ConfigMap" | "Secret";
  readonly name: string;
  readonly isOptional: boolean;
}

/** The authority certificate that every namespace's `kube-root-ca.crt` holds. */
const ROOT_CA = "kube-root-ca.crt";

/** Reads what pods refer to: always what is now, never a cache, so that what was created before the pod is seen. */
export class References {
  readonly #client: Client;
  readonly #caCertificate: string;

  constructor(client: Client, caCertificate: string) {
    this.#client = client;
    this.#caCertificate = caCertificate;
  }

  /** Undefined if it is optional and absent; throws `ConfigError` if it is absent and not optional. */
  async read(namespace: string, { kind, name, isOptional }: Reference): Promise<Content | undefined> {
    const content = kind === "ConfigMap" ? await this.#configMap({ namespace, name }) : await this.#secret({ namespace, name });
    if (content === undefined && !isOptional) throw new ConfigError(`${kind.toLowerCase()} ${JSON.stringify(name)} not found`);
    return content;
  }

  async #configMap(key: { readonly namespace: string; readonly name: string }): Promise<Content | undefined> {
    const found = await this.#client.find(ConfigMap, key);
    if (found === undefined) return key.name === ROOT_CA ? new Map([["ca.crt", Buffer.from(this.#caCertificate)]]) : undefined;
    return new Map([
      ...Object.entries(found.data ?? {}).map(([name, text]): [string, Buffer] => [name, Buffer.from(text)]),
      ...Object.entries(found.binaryData ?? {}).map(([name, text]): [string, Buffer] => [name, Buffer.from(text, "base64")]),
    ]);
  }

  async #secret(key: { readonly namespace: string; readonly name: string }): Promise<Content | undefined> {
    const found = await this.#client.find(Secret, key);
    if (found === undefined) return undefined;
    return new Map(Object.entries(found.data ?? {}).map(([name, text]) => [name, Buffer.from(text, "base64")]));
  }
}
