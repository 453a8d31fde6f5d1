import { isJsonObject, type UnknownObject } from "@sluice/kubernetes";
import type { AdmissionNotes, AdmissionPlugin, AdmissionRequest } from "../admission/admission.ts";
import { isDryRun, type ResourceRequest } from "./request-context.ts";

/** A value, or the promise of one: what need not wait must not. */
export type Awaitable<T> = T | Promise<T>;

/** Counts what is written; the result takes that back. */
export type Charge = () => () => void;

/** An object that admission has let pass, and what its writing costs. */
export interface Admitted<T = UnknownObject> {
  readonly object: T;
  readonly charge?: Charge | undefined;
}

/** What a request is about to do. */
export interface Intent<T extends UnknownObject | undefined = UnknownObject> {
  readonly operation: AdmissionRequest["operation"];
  readonly object: T;
  readonly oldObject?: UnknownObject | undefined;
}

/** What a connection asks for, such as `PodExecOptions`. */
export interface ConnectOptions {
  readonly kind: string;
  readonly apiVersion: string;
  readonly [option: string]: unknown;
}

/** Goes on with a value, at once if it is there. */
export function andThen<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/**
 * Brings a write before its judges: the mutating ones, then `complete`, which makes of their result what would be stored or
 * refuses it, then the validating ones. Waits only if one of them does.
 */
export function admit(
  target: ResourceRequest,
  intent: Intent,
  complete: (object: UnknownObject) => UnknownObject = (object) => object,
): Awaitable<Admitted> {
  if (target.admission.length === 0) return { object: complete(intent.object) };
  const request = requestOf(target, intent);
  return andThen(mutate(target, request), (mutated) => {
    const object = complete(mutated);
    const { name } = object.metadata;
    const final = { ...request, object, name: request.name === "" ? name : request.name };
    return andThen(validate(target, final), () => ({ object, charge: chargeOf(target.admission, final) }));
  });
}

/** Brings a deletion before its judges. */
export function admitDeletion(target: ResourceRequest, oldObject: UnknownObject): Awaitable<{ readonly charge?: Charge | undefined }> {
  if (target.admission.length === 0) return {};
  const request = requestOf({ ...target, name: oldObject.metadata.name }, { operation: "DELETE", object: undefined, oldObject });
  return andThen(validate(target, request), () => ({ charge: chargeOf(target.admission, request) }));
}

/** Brings a connection to a subresource before its judges; throws if they refuse it. The options to connect with. */
export async function admitConnect<T extends ConnectOptions>(target: ResourceRequest, options: T): Promise<T> {
  const { metadata: _, ...admitted } = (await admit(target, { operation: "CONNECT", object: { ...options, metadata: { name: "" } } })).object;
  return { ...options, ...admitted };
}

function requestOf<T extends UnknownObject | undefined>(target: ResourceRequest, intent: Intent<T>): AdmissionRequest & { readonly object: T } {
  const { served, user, namespace, name, subresource, alias, request } = target;
  const { operation, object, oldObject } = intent;
  return {
    operation,
    resource: served.resource,
    subresource: alias ?? subresource,
    // A namespace is in itself.
    namespace: namespace ?? (served.table === "namespaces" ? (name ?? object?.metadata.name) : undefined),
    name: name ?? object?.metadata.name ?? "",
    object,
    oldObject,
    options: optionsOf(target, operation),
    user,
    dryRun: isDryRun(request.query, request.method === "DELETE" ? request.body : undefined),
  };
}

const OPTIONS_KINDS = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions", CONNECT: undefined } as const;

function optionsOf({ request: { query, body, method } }: ResourceRequest, operation: AdmissionRequest["operation"]): AdmissionRequest["options"] {
  const kind = OPTIONS_KINDS[operation];
  if (kind === undefined) return undefined;
  const { fieldManager = "", fieldValidation = "", dryRun = "", gracePeriodSeconds = "", propagationPolicy = "" } = query;
  const isDelete = operation === "DELETE";
  return {
    ...(isDelete && method === "DELETE" && isJsonObject(body) ? body : {}),
    kind,
    apiVersion: "meta.k8s.io/v1",
    ...(dryRun === "" ? {} : { dryRun: [dryRun] }),
    ...(fieldManager === "" || isDelete ? {} : { fieldManager }),
    ...(fieldValidation === "" || isDelete ? {} : { fieldValidation }),
    ...(gracePeriodSeconds === "" || !isDelete ? {} : { gracePeriodSeconds: Number(gracePeriodSeconds) }),
    ...(propagationPolicy === "" || !isDelete ? {} : { propagationPolicy }),
  };
}

function mutate(target: ResourceRequest, request: AdmissionRequest & { readonly object: UnknownObject }): Awaitable<UnknownObject> {
  return target.admission.reduce<Awaitable<UnknownObject>>(
    (sofar, plugin) =>
      andThen(sofar, (object) => {
        const current = object === request.object ? request : { ...request, object };
        return plugin.mutate !== undefined && plugin.handles(current) ? plugin.mutate(current, target.notes) : object;
      }),
    request.object,
  );
}

function validate(target: ResourceRequest, request: AdmissionRequest): Awaitable<void> {
  const judge = (plugin: AdmissionPlugin, notes: AdmissionNotes): Awaitable<void> =>
    plugin.validate !== undefined && plugin.handles(request) ? plugin.validate(request, notes) : undefined;
  return target.admission.reduce<Awaitable<void>>((sofar, plugin) => andThen(sofar, () => judge(plugin, target.notes)), undefined);
}

function chargeOf(plugins: readonly AdmissionPlugin[], request: AdmissionRequest): Charge | undefined {
  const interested = plugins.filter((plugin) => plugin.charge !== undefined && plugin.handles(request));
  if (interested.length === 0) return undefined;
  return () => {
    const refunds: (() => void)[] = [];
    const refund = (): void => refunds.forEach((one) => one());
    try {
      for (const plugin of interested) {
        const one = plugin.charge?.(request);
        if (one !== undefined) refunds.push(one);
      }
    } catch (error) {
      refund();
      throw error;
    }
    return refund;
  };
}
