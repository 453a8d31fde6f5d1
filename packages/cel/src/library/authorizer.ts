import { opaque, type OpaqueType } from "../types.ts";

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

/** The type of `authorizer`. */
export const authorizerType: OpaqueType = opaque("kubernetes.authorization.Authorizer");
/** The type of `authorizer.requestResource`: an authorizer's check of one resource, bound to a CelResourceCheck. */
export const resourceCheckType: OpaqueType = opaque("kubernetes.authorization.ResourceCheck");

/** What a variable of type `resourceCheckType` is bound to. */
export interface CelResourceCheck {
  readonly authorizer: CelAuthorizer;
  readonly attributes: Omit<CelAccessAttributes, "user" | "verb">;
}
