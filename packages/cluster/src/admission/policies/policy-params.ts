import { apiVersionOf, labelSelectorFrom, type ParamKind, type ParamRef, type Resource, type UnknownObject } from "@sluice/kubernetes";
import { qualified } from "../../api-server/api-errors.ts";
import type { Store } from "../../store/store.ts";

/** A policy or binding that cannot be applied as it is. */
export class Misconfigured extends Error {
  override readonly name = "Misconfigured";
}

/** The kind of a policy's parameters; throws Misconfigured if there is none such. */
export function paramResource({ apiVersion = "", kind = "" }: ParamKind, served: readonly Resource[]): Resource {
  const found = served.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
  if (found !== undefined) return found;
  throw new Misconfigured(`failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`);
}

/**
 * The objects that a policy is to be evaluated with, once for each; undefined stands for an evaluation without parameters.
 * Throws Misconfigured if the binding refers to what cannot be, or to nothing where it must not.
 */
export function paramsOf(
  resource: Resource | undefined,
  ref: ParamRef | undefined,
  { namespace, store }: { readonly namespace: string | undefined; readonly store: Pick<Store, "get" | "list"> },
): readonly (UnknownObject | undefined)[] {
  if (resource === undefined || ref === undefined) return [undefined];
  const isNamespaced = resource.scope === "Namespaced";
  const { name = "", namespace: given = "", selector } = ref;
  const home = given === "" ? namespace : given;
  if (isNamespaced && home === undefined)
    throw new Misconfigured("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  if (!isNamespaced && given !== "") throw new Misconfigured("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  const within = isNamespaced ? { namespace: home } : {};
  const table = qualified(resource);
  const found =
    name === ""
      ? store.list(table, within).items.filter(({ metadata }) => labelSelectorFrom(selector ?? {}).matches(metadata.labels))
      : [store.get(table, { ...within, name })];
  const params = found.filter((one) => one !== undefined).map((one) => ({ ...one, apiVersion: apiVersionOf(resource) }));
  if (params.length === 0 && ref.parameterNotFoundAction === "Deny") {
    throw new Misconfigured("no params found for policy binding with `Deny` parameterNotFoundAction");
  }
  return params;
}
