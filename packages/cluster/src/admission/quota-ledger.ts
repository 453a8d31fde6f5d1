import type { Clock, Logger } from "@sluice/controller";
import { jsonEqual, type Quantity, type ResourceQuota, type UnknownObject } from "@sluice/kubernetes";
import type { Store } from "../store/store.ts";
import { isInScope } from "./quota-scopes.ts";
import { tableOfResource, usageOf } from "./quota-usage.ts";
import { addResources, maskResources, ONE, readResources, subtractResources, writeResources, type ResourceList } from "./resource-list.ts";

const QUOTAS = "resourcequotas";

/** What the ledger keeps its books with. */
export interface QuotaLedgerOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One quota's books: what each object of its namespace uses of what it bounds, and the sum. */
export class QuotaAccount {
  readonly name: string;
  readonly spec: ResourceQuota["spec"];
  readonly hard: ResourceList;
  /** The tables whose objects use what it bounds. */
  readonly tables: ReadonlySet<string>;
  readonly #used: Map<string, Quantity>;
  /** By `table/name`. */
  readonly #entries = new Map<string, ResourceList>();

  constructor({ metadata, spec }: UnknownObject & ResourceQuota) {
    this.name = metadata.name;
    this.spec = spec;
    const known = Object.keys(spec.hard ?? {}).map((name) => [name, tableOfResource(name)] as const);
    this.hard = readResources(spec.hard);
    this.tables = new Set(known.flatMap(([, table]) => table ?? []));
    this.#used = new Map(known.flatMap(([name, table]) => (table === undefined ? [] : [[name, { ...ONE, nanos: 0n }] as const])));
  }

  /** The sum of what is used. */
  get used(): ResourceList {
    return this.#used;
  }

  /** What an object would use of what this quota bounds; undefined if it has nothing to do with it. */
  usage(table: string, object: UnknownObject, now: number): ResourceList | undefined {
    if (!this.tables.has(table) || !isInScope(this.spec, table, object)) return undefined;
    return maskResources(usageOf(table, object, now), (name) => this.hard.has(name));
  }

  /** What is written down for an object. */
  entry(table: string, name: string): ResourceList | undefined {
    return this.#entries.get(`${table}/${name}`);
  }

  /** Writes down what an object uses, in place of what was there; false if that is the same. */
  enter(table: string, name: string, usage: ResourceList | undefined): boolean {
    const key = `${table}/${name}`;
    const before = this.#entries.get(key);
    if (isSame(before, usage)) return false;
    if (before !== undefined) subtractResources(this.#used, before);
    if (usage === undefined) this.#entries.delete(key);
    else {
      this.#entries.set(key, usage);
      addResources(this.#used, usage);
    }
    return true;
  }
}

/**
 * The books of all quotas. They follow what is committed; a write that is about to be is entered ahead of its commit, so
 * that no two writes use the same room. The quotas' status follows the books: in the same commit where that is possible.
 */
export class QuotaLedger implements Disposable {
  readonly #options: QuotaLedgerOptions;
  /** By namespace and quota. */
  readonly #accounts = new Map<string, Map<string, QuotaAccount>>();
  readonly #stops = new Map<string, () => void>();
  readonly #stale = new Map<string, { readonly namespace: string; readonly account: QuotaAccount }>();
  #isFlushing = false;

  constructor(options: QuotaLedgerOptions) {
    this.#options = options;
    const { store } = options;
    this.#follow(QUOTAS);
    for (const quota of store.list(QUOTAS).items) this.#open(quota as UnknownObject & ResourceQuota);
  }

  /** The accounts of a namespace that objects of a table are charged to, by name. */
  accounts(namespace: string, table: string): QuotaAccount[] {
    const accounts = this.#accounts.get(namespace);
    if (accounts === undefined) return [];
    return [...accounts.values()].filter(({ tables }) => tables.has(table)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Enters what objects of a namespace use now: pods that ought to be gone cost less without any write. */
  review(namespace: string): void {
    const { store } = this.#options;
    for (const { metadata } of store.list("pods", { namespace }).items) {
      if (metadata.deletionTimestamp !== undefined) this.#enterStored("pods", namespace, metadata.name);
    }
  }

  /** Enters an object that is about to be written. The result takes that back: the books then say what the store has. */
  enter(table: string, object: UnknownObject): () => void {
    const { namespace = "", name } = object.metadata;
    this.#enter(table, namespace, name, object);
    return () => this.#enterStored(table, namespace, name);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops.values()) stop();
  }

  #follow(table: string): void {
    if (this.#stops.has(table)) return;
    const { store } = this.#options;
    const stop = store.onChange(table, ({ type, object }) => {
      const { namespace = "", name } = object.metadata;
      if (this.#accounts.has(namespace)) this.#enter(table, namespace, name, type === "DELETED" ? undefined : object);
      if (table !== QUOTAS) return;
      if (type === "DELETED") this.#close(namespace, name);
      else this.#open(object as UnknownObject & ResourceQuota);
    });
    this.#stops.set(table, stop);
  }

  /** Opens an account, or a new one if the quota means something else now. */
  #open(quota: UnknownObject & ResourceQuota): void {
    const { namespace = "", name } = quota.metadata;
    const accounts = this.#accounts.get(namespace) ?? new Map<string, QuotaAccount>();
    this.#accounts.set(namespace, accounts);
    const known = accounts.get(name);
    if (known !== undefined && jsonEqual(known.spec, quota.spec)) {
      if (!jsonEqual(quota.status, statusOf(known))) this.#changed(namespace, known);
      return;
    }
    const account = new QuotaAccount(quota);
    accounts.set(name, account);
    const { store, clock } = this.#options;
    for (const table of account.tables) {
      this.#follow(table);
      for (const object of store.list(table, { namespace }).items)
        account.enter(table, object.metadata.name, account.usage(table, object, clock.now()));
    }
    this.#changed(namespace, account);
  }

  #close(namespace: string, name: string): void {
    const accounts = this.#accounts.get(namespace);
    accounts?.delete(name);
    if (accounts?.size === 0) this.#accounts.delete(namespace);
    this.#stale.delete(`${namespace}/${name}`);
  }

  #enterStored(table: string, namespace: string, name: string): void {
    this.#enter(table, namespace, name, this.#options.store.get(table, { namespace, name }));
  }

  #enter(table: string, namespace: string, name: string, object: UnknownObject | undefined): void {
    const now = this.#options.clock.now();
    for (const account of this.#accounts.get(namespace)?.values() ?? []) {
      if (!account.tables.has(table)) continue;
      const usage = object === undefined ? undefined : account.usage(table, object, now);
      if (account.enter(table, name, usage)) this.#changed(namespace, account);
    }
  }

  #changed(namespace: string, account: QuotaAccount): void {
    this.#stale.set(`${namespace}/${account.name}`, { namespace, account });
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // Still in this turn, hence in the commit of what has changed the books, unless that was a commit itself.
    queueMicrotask(() => {
      this.#isFlushing = false;
      const stale = [...this.#stale.values()];
      this.#stale.clear();
      for (const { namespace: home, account: one } of stale) void this.#write(home, one);
    });
  }

  async #write(namespace: string, account: QuotaAccount): Promise<void> {
    const { store, logger } = this.#options;
    const { name } = account;
    const status = statusOf(account);
    const isKnown = (quota: UnknownObject | undefined): boolean => quota === undefined || jsonEqual(quota["status"], status);
    try {
      await store.write(QUOTAS, { namespace, name }, (quota) =>
        quota === undefined || isKnown(quota) || !jsonEqual((quota as UnknownObject & ResourceQuota).spec, account.spec)
          ? quota
          : { ...quota, status },
      );
    } catch (error) {
      // The books stay right, and the next change tries again.
      logger.warn("the status of a quota could not be written", { namespace, name, error });
    }
  }
}

function isSame(a: ResourceList | undefined, b: ResourceList | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.size === b.size && [...a].every(([name, { nanos }]) => b.get(name)?.nanos === nanos);
}

function statusOf({ hard, used }: QuotaAccount): NonNullable<ResourceQuota["status"]> {
  return { hard: writeResources(hard), used: writeResources(used) };
}
