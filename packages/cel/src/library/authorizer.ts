import { method, traversal, type NamedOverload } from "../functions.ts";
import { BOOL, opaque, STRING, type OpaqueType } from "../types.ts";
import { CelFailure, CelOpaque, type CelResult } from "../values.ts";

/** Whose access is asked for. */
export interface CelUser {
  readonly username: string;
  readonly groups: readonly string[];
}

/** A question of access, as an expression asks it. */
export interface CelAccessAttributes {
  readonly user: CelUser;
  readonly verb: string;
  /** Of a URL that is no resource. */
  readonly path?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** The answer; `error` tells why nobody could say. */
export interface CelAccessDecision {
  readonly allowed: boolean;
  readonly reason?: string;
  readonly error?: string;
}

/** What a variable of type `authorizerType` is bound to: the user of the request, and who decides. */
export interface CelAuthorizer {
  readonly user: CelUser;
  readonly authorize: (attributes: CelAccessAttributes) => CelAccessDecision;
}

/** What a variable of type `resourceCheckType` is bound to. */
export interface CelResourceCheck {
  readonly authorizer: CelAuthorizer;
  readonly attributes: Omit<CelAccessAttributes, "user" | "verb">;
}

/** The type of `authorizer`. */
export const authorizerType: OpaqueType<CelAuthorizer> = opaque("kubernetes.authorization.Authorizer");
/** The type of the variable `authorizer.requestResource`, whose name has a dot: a check of one resource that still lacks its verb. */
export const resourceCheckType: OpaqueType<CelResourceCheck> = opaque("kubernetes.authorization.ResourceCheck");

const pathCheckType: OpaqueType<CelResourceCheck> = opaque("kubernetes.authorization.PathCheck");
const groupCheckType: OpaqueType<CelResourceCheck> = opaque("kubernetes.authorization.GroupCheck");
const decisionType: OpaqueType<CelAccessDecision> = opaque("kubernetes.authorization.Decision");

/** Allows for two checks in an expression. */
const CHECK = { cost: (): number => 350_000 };
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** What a variable of an authorizer's type is bound to, as a value; undefined if it is something else. */
export function bindAuthorizer(binding: unknown, type: OpaqueType): CelResult | undefined {
  if (type.name === authorizerType.name) return isAuthorizer(binding) ? new CelOpaque(authorizerType, binding) : undefined;
  return type.name === resourceCheckType.name && isResourceCheck(binding) ? new CelOpaque(resourceCheckType, binding) : undefined;
}

function isAuthorizer(binding: unknown): binding is CelAuthorizer {
  return typeof binding === "object" && binding !== null && "user" in binding && "authorize" in binding;
}

function isResourceCheck(binding: unknown): binding is CelResourceCheck {
  return typeof binding === "object" && binding !== null && "authorizer" in binding && isAuthorizer(binding.authorizer) && "attributes" in binding;
}

function narrowed(check: CelOpaque<CelResourceCheck>, attributes: CelResourceCheck["attributes"]): CelOpaque<CelResourceCheck> {
  const { authorizer, attributes: before } = check.value;
  return new CelOpaque(resourceCheckType, { authorizer, attributes: { ...before, ...attributes } });
}

function check({ value }: CelOpaque<CelResourceCheck>, verb: string): CelResult {
  const { authorizer, attributes } = value;
  return new CelOpaque(decisionType, authorizer.authorize({ ...attributes, user: authorizer.user, verb }));
}

function serviceAccount({ value }: CelOpaque<CelAuthorizer>, namespace: string, name: string): CelResult {
  if (!SUBDOMAIN.test(name)) return new CelFailure("Invalid service account name");
  if (!LABEL.test(namespace)) return new CelFailure("Invalid service account namespace");
  const user = {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  };
  return new CelOpaque(authorizerType, { ...value, user });
}

const readsSelector = { cost: (_: unknown, selector: string): number => 10 + traversal(selector.length) + Math.ceil(selector.length * 0.5) * 50 };

/** Who may do what, asked of the server's own authorizer. */
export const authorizer: readonly NamedOverload[] = [
  method("path", [authorizerType, STRING], pathCheckType, ({ value }, path) =>
    path === "" ? new CelFailure("path must not be empty") : new CelOpaque(pathCheckType, { authorizer: value, attributes: { path } }),
  ),
  method(
    "group",
    [authorizerType, STRING],
    groupCheckType,
    ({ value }, group) => new CelOpaque(groupCheckType, { authorizer: value, attributes: { group } }),
  ),
  method("serviceAccount", [authorizerType, STRING, STRING], authorizerType, serviceAccount),
  method("resource", [groupCheckType, STRING], resourceCheckType, (group, resource) =>
    resource === "" ? new CelFailure("resource must not be empty") : narrowed(group, { resource }),
  ),
  method("subresource", [resourceCheckType, STRING], resourceCheckType, (resource, subresource) => narrowed(resource, { subresource })),
  method("namespace", [resourceCheckType, STRING], resourceCheckType, (resource, namespace) => narrowed(resource, { namespace })),
  method("name", [resourceCheckType, STRING], resourceCheckType, (resource, name) => narrowed(resource, { name })),
  method(
    "fieldSelector",
    [resourceCheckType, STRING],
    resourceCheckType,
    (resource, fieldSelector) => narrowed(resource, { fieldSelector }),
    readsSelector,
  ),
  method(
    "labelSelector",
    [resourceCheckType, STRING],
    resourceCheckType,
    (resource, labelSelector) => narrowed(resource, { labelSelector }),
    readsSelector,
  ),
  method("check", [pathCheckType, STRING], decisionType, check, CHECK),
  method("check", [resourceCheckType, STRING], decisionType, check, CHECK),
  method("allowed", [decisionType], BOOL, ({ value }) => value.allowed),
  method("reason", [decisionType], STRING, ({ value }) => value.reason ?? ""),
  method("errored", [decisionType], BOOL, ({ value }) => value.error !== undefined),
  method("error", [decisionType], STRING, ({ value }) => value.error ?? ""),
];
