import { compareQuantities, type Pod, type UnknownObject } from "@sluice/kubernetes";
import { forbidden, qualified } from "../api-server/api-errors.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";
import { QuotaLedger, type QuotaAccount, type QuotaLedgerOptions } from "./quota-ledger.ts";
import { isTerminating } from "./quota-scopes.ts";
import { missingFrom } from "./quota-usage.ts";
import { addResources, maskResources, NONE, showResources, subtractResources, type ResourceList } from "./resource-list.ts";

/** Holds namespaces to their ResourceQuotas, exactly: what is written is charged in the same breath. Also keeps the quotas' status. */
export function resourceQuota(options: QuotaLedgerOptions): AdmissionPlugin & Disposable {
  const ledger = new QuotaLedger(options);
  const { clock } = options;

  const check = (request: AdmissionRequest, object: UnknownObject, accounts: readonly QuotaAccount[]): void => {
    const table = qualified(request.resource);
    const fits = accounts.map((account) => [account, increase(account, table, object, clock.now())] as const);
    const exceeded = fits.find(([account, more]) => excessOf(account, more).length > 0);
    if (exceeded === undefined) return;
    const [account, more] = exceeded;
    const isExceeded = (list: ResourceList): string => showResources(maskResources(list, (name) => excessOf(account, more).includes(name)));
    throw forbidden(
      request.resource,
      nameOf(request, object),
      `exceeded quota: ${account.name}, requested: ${isExceeded(more)}, used: ${isExceeded(account.used)}, limited: ${isExceeded(account.hard)}`,
    );
  };

  /** Checks once more after looking whether room has become free by the mere passing of time. */
  const checkTwice = (request: AdmissionRequest, object: UnknownObject): void => {
    const accounts = accountsOf(request);
    const { namespace = "" } = request;
    if (accounts.some((account) => excessOf(account, increase(account, qualified(request.resource), object, clock.now())).length > 0)) {
      ledger.review(namespace);
    }
    check(request, object, accounts);
  };

  const accountsOf = ({ namespace, resource }: AdmissionRequest): QuotaAccount[] =>
    namespace === undefined ? [] : ledger.accounts(namespace, qualified(resource));

  return {
    name: "ResourceQuota",
    handles: (request) => request.object !== undefined && isCharged(request) && accountsOf(request).length > 0,
    validate: (request) => {
      const { object, resource } = request;
      if (object === undefined) return;
      if (resource.group === "" && resource.plural === "pods") {
        for (const account of accountsOf(request)) requireStated(request, object, account);
      }
    },
    charge: (request) => {
      const { object, resource } = request;
      if (object === undefined) return undefined;
      checkTwice(request, object);
      return request.dryRun ? undefined : ledger.enter(qualified(resource), object);
    },
    [Symbol.dispose]: () => ledger[Symbol.dispose](),
  };

  function requireStated(request: AdmissionRequest, object: UnknownObject, account: QuotaAccount): void {
    if (account.usage("pods", object, clock.now()) === undefined) return;
    const problem = missingFrom(object as UnknownObject & Pod, [...account.hard.keys()]);
    if (problem !== undefined) throw forbidden(request.resource, nameOf(request, object), `failed quota: ${account.name}: ${problem}`);
  }
}

/** Whether such a write may be refused for what it uses; whatever else changes is only written down. */
function isCharged({ operation, resource, subresource, object, oldObject }: AdmissionRequest): boolean {
  const isCore = resource.group === "";
  if (isCore && resource.plural === "pods") {
    if (subresource === "resize") return operation === "UPDATE";
    if (subresource !== undefined) return false;
    if (operation !== "UPDATE") return operation === "CREATE";
    return isTerminating((object as UnknownObject & Pod).spec) !== isTerminating((oldObject as UnknownObject & Pod).spec);
  }
  if (subresource !== undefined) return false;
  const isMeasured = isCore && (resource.plural === "services" || resource.plural === "persistentvolumeclaims");
  return operation === "CREATE" || (isMeasured && operation === "UPDATE");
}

/** What an object would use of a quota beyond what is written down for it: nothing for what becomes less. */
function increase(account: QuotaAccount, table: string, object: UnknownObject, now: number): ResourceList {
  const usage = account.usage(table, object, now);
  if (usage === undefined) return NONE;
  const more = new Map(usage);
  subtractResources(more, account.entry(table, object.metadata.name) ?? NONE);
  return new Map([...more].filter(([, { nanos }]) => nanos > 0n));
}

/** The resources of which a quota has not enough left. */
function excessOf(account: QuotaAccount, more: ResourceList): string[] {
  const after = new Map(maskResources(account.used, (name) => more.has(name)));
  addResources(after, more);
  return [...after].flatMap(([name, amount]) => {
    const limit = account.hard.get(name);
    return limit !== undefined && compareQuantities(amount, limit) > 0 ? [name] : [];
  });
}

function nameOf({ name }: AdmissionRequest, object: UnknownObject): string {
  return object.metadata.name === "" ? name : object.metadata.name;
}
