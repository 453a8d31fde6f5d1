import type { UserInfo } from "@sluice/client";
import {
  authorizerType,
  BOOL,
  CelBudget,
  CelError,
  compileCel,
  DYN,
  formatType,
  INT,
  listOf,
  mapOf,
  objectOf,
  resourceCheckType,
  STRING,
  TIMESTAMP,
  type CelAuthorizer,
  type CelProgram,
  type CelType,
} from "@sluice/cel";
import type { MatchCondition, Resource, UnknownObject } from "@sluice/kubernetes";
import type { RequestAttributes } from "../api-server/api-server-options.ts";
import type { AdmissionRequest } from "./admission.ts";
import { asEquivalent, kindOf } from "./kinds.ts";

/** Who may do what, said at once. */
export interface ImmediateAuthorizer {
  authorize(user: UserInfo, attributes: RequestAttributes): { readonly allowed: boolean; readonly reason: string };
}

/** What expressions may refer to besides the request and its objects. */
export interface ExpressionOptions {
  readonly hasParams?: boolean;
  /** Messages are made without asking who may do what. */
  readonly hasAuthorizer?: boolean;
  readonly variables?: CelType | undefined;
  /** What objects and parameters look like, where that is known; they are not looked into unless given. */
  readonly object?: CelType | undefined;
  readonly params?: CelType | undefined;
}

/** What the match conditions of one judge may cost together. */
const CONDITIONS_COST_LIMIT = 2_500_000;

const GROUP_VERSION_KIND = objectOf("kubernetes.GroupVersionKind", { group: STRING, version: STRING, kind: STRING });
const GROUP_VERSION_RESOURCE = objectOf("kubernetes.GroupVersionResource", { group: STRING, version: STRING, resource: STRING });
const USER_INFO = objectOf("kubernetes.UserInfo", {
  username: STRING,
  uid: STRING,
  groups: listOf(STRING),
  extra: mapOf(STRING, listOf(STRING)),
});
const REQUEST = objectOf("kubernetes.AdmissionRequest", {
  kind: GROUP_VERSION_KIND,
  resource: GROUP_VERSION_RESOURCE,
  subResource: STRING,
  requestKind: GROUP_VERSION_KIND,
  requestResource: GROUP_VERSION_RESOURCE,
  requestSubResource: STRING,
  name: STRING,
  namespace: STRING,
  operation: STRING,
  userInfo: USER_INFO,
  dryRun: BOOL,
  options: DYN,
});
const NAMESPACE = objectOf("kubernetes.Namespace", {
  metadata: objectOf("kubernetes.NamespaceMetadata", {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: mapOf(STRING, STRING),
    annotations: mapOf(STRING, STRING),
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: listOf(STRING),
  }),
  spec: objectOf("kubernetes.NamespaceSpec", { finalizers: listOf(STRING) }),
  status: objectOf("kubernetes.NamespaceStatus", {
    conditions: listOf(
      objectOf("kubernetes.NamespaceCondition", { status: STRING, type: STRING, lastTransitionTime: TIMESTAMP, message: STRING, reason: STRING }),
    ),
    phase: STRING,
  }),
});

/** Compiles an expression of admission; throws a CelError of kind `compile` also if it evaluates to none of `expected`. */
export function compileExpression(expression: string, expected: readonly CelType[], options: ExpressionOptions = {}): CelProgram {
  const { hasParams = false, hasAuthorizer = true, variables, object = DYN, params = DYN } = options;
  let program: CelProgram;
  try {
    program = compileCel(expression, {
      variables: {
        object,
        oldObject: object,
        namespaceObject: NAMESPACE,
        request: REQUEST,
        ...(hasParams ? { params } : {}),
        ...(hasAuthorizer ? { authorizer: authorizerType, "authorizer.requestResource": resourceCheckType } : {}),
        ...(variables === undefined ? {} : { variables }),
      },
    });
  } catch (error) {
    throw error instanceof CelError ? new CelError("compile", `compilation failed: ${error.message}`) : error;
  }
  const names = expected.map(nameOf);
  const type = nameOf(program.type);
  if (names.length === 0 || names.includes(type)) return program;
  const wanted = names.length === 1 ? `must evaluate to ${names[0]}` : `must evaluate to one of [${names.join(" ")}]`;
  throw new CelError("compile", `${wanted} but got ${type}`);
}

/** A type as messages about results write it. */
function nameOf(type: CelType): string {
  return type.kind === "null" ? "null_type" : formatType(type);
}

/** What expressions see of a request that is judged as one to `resource`. */
export function bindingsOf(
  request: AdmissionRequest,
  resource: Resource,
  { authorizer, namespace, params }: BindingOptions,
): Readonly<Record<string, unknown>> {
  const { operation, object, oldObject } = request;
  const see = (one: UnknownObject | undefined): unknown =>
    one === undefined ? null : withoutEmptyIdentity(asEquivalent(one, request.resource, resource), operation);
  const celAuthorizer = authorizerOf(request.user, authorizer);
  const { group, version, plural } = request.resource;
  return {
    object: () => see(object),
    oldObject: () => see(oldObject),
    request: () => describeRequest(request, resource),
    namespaceObject: () => (namespace === undefined ? null : shownNamespace(namespace)),
    params: params ?? null,
    authorizer: celAuthorizer,
    "authorizer.requestResource": {
      authorizer: celAuthorizer,
      attributes: {
        group,
        version,
        resource: plural,
        subresource: request.subresource ?? "",
        namespace: request.namespace ?? "",
        name: request.name,
      },
    },
  };
}

/** What a request's expressions see besides it. */
export interface BindingOptions {
  readonly authorizer: ImmediateAuthorizer;
  readonly namespace?: UnknownObject | undefined;
  readonly params?: UnknownObject | undefined;
}

/** A request as AdmissionReview and expressions describe it, without its objects. */
export function describeRequest(request: AdmissionRequest, resource: Resource): Record<string, unknown> {
  const { user, subresource = "", name, namespace = "", operation, dryRun, options } = request;
  const resourceOf = ({ group, version, plural }: Resource): object => ({ group, version, resource: plural });
  return {
    kind: kindOf(request, resource),
    resource: resourceOf(resource),
    ...(subresource === "" ? {} : { subResource: subresource }),
    requestKind: kindOf(request),
    requestResource: resourceOf(request.resource),
    ...(subresource === "" ? {} : { requestSubResource: subresource }),
    ...(name === "" ? {} : { name }),
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.username,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    dryRun,
    options: options ?? null,
  };
}

/** An object as Go writes it: a name that is yet to be made is absent, and the options of a connection have no metadata. */
export function withoutEmptyIdentity(object: UnknownObject, operation: AdmissionRequest["operation"]): Record<string, unknown> {
  const { metadata, ...rest } = object;
  if (operation === "CONNECT") return rest;
  const { name, ...identity } = metadata;
  return name === "" ? { ...rest, metadata: identity } : object;
}

function authorizerOf(user: UserInfo, authorizer: ImmediateAuthorizer): CelAuthorizer {
  return {
    user,
    authorize: ({ user: who, verb, path, group = "", resource = "", subresource, namespace, name }) =>
      authorizer.authorize(
        { username: who.username, groups: who.groups },
        path === undefined
          ? {
              kind: "resource",
              verb,
              group,
              version: "*",
              resource,
              subresource: given(subresource),
              namespace: given(namespace),
              name: given(name),
            }
          : { kind: "path", verb, path },
      ),
  };
}

function given(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function shownNamespace({ apiVersion, kind, metadata, spec, status }: UnknownObject): unknown {
  const { managedFields: _, ownerReferences: __, ...shown } = metadata;
  return { apiVersion, kind, metadata: shown, spec, status };
}

/** A condition that requests must meet. */
export interface CompiledCondition {
  readonly name: string;
  /** What is wrong with it, if it does not compile. */
  readonly program: CelProgram | CelError;
}

/** Compiles conditions; those that do not compile fail when they are asked. */
export function compileConditions(conditions: readonly MatchCondition[], options: ExpressionOptions = {}): readonly CompiledCondition[] {
  return conditions.map(({ name, expression }) => ({ name, program: tryCompile(expression, [BOOL], options) }));
}

/** A program, or why there is none. */
export function tryCompile(expression: string, expected: readonly CelType[], options: ExpressionOptions = {}): CelProgram | CelError {
  try {
    return compileExpression(expression, expected, options);
  } catch (error) {
    if (error instanceof CelError) return error;
    throw error;
  }
}

/** Whether all conditions hold; one that does not decides, whatever the others do. The message says why nobody can tell. */
export function meetsConditions(
  conditions: readonly CompiledCondition[],
  bindings: Readonly<Record<string, unknown>>,
): { readonly meets: boolean } | { readonly error: string } {
  const budget = new CelBudget(CONDITIONS_COST_LIMIT);
  const errors: string[] = [];
  for (const { program } of conditions) {
    const result = evaluateExpression(program, bindings, budget);
    if ("error" in result) {
      if (result.isSpent) return { error: result.error };
      errors.push(result.error);
    } else if (result.value === false) return { meets: false };
  }
  if (errors.length === 0) return { meets: true };
  return { error: errors.length === 1 ? (errors[0] ?? "") : `[${[...new Set(errors)].join(", ")}]` };
}

/** The value of an expression, or why it has none; `isSpent` says that nothing more may be evaluated. */
export type Evaluated = { readonly value: unknown } | { readonly error: string; readonly isSpent: boolean };

/** Evaluates one of the expressions that share a budget. */
export function evaluateExpression(program: CelProgram | CelError, bindings: Readonly<Record<string, unknown>>, budget: CelBudget): Evaluated {
  if (program instanceof CelError) return { error: `compilation error: ${program.message}`, isSpent: false };
  try {
    return { value: program.evaluate(bindings, budget) };
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    if (budget.isSpent) {
      return { error: "validation failed due to running out of cost budget, no further validation rules will be run", isSpent: true };
    }
    return { error: `expression '${program.expression}' resulted in error: ${error.message}`, isSpent: false };
  }
}
