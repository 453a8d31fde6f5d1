import type { Client } from "@sluice/client";
import { NAMESPACES } from "../runner/kinds.ts";
import type { Store } from "../store/store.ts";

/** Which cluster this is. */
export class ClusterIdentity {
  readonly #store: Store;
  #id: Promise<string> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** The uid of its namespace kube-system; links to the objects of another cluster are forgotten first. */
  of(client: Client): Promise<string> {
    this.#id ??= this.#find(client).catch((error: unknown) => {
      this.#id = undefined;
      throw error;
    });
    return this.#id;
  }

  async #find(client: Client): Promise<string> {
    const { metadata } = await client.get(NAMESPACES, { name: "kube-system" });
    await this.#store.objects.moveTo(metadata.uid ?? "");
    return metadata.uid ?? "";
  }
}
