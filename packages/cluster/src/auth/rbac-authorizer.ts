import type { UserInfo } from "@sluice/client";
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject, UnknownObject } from "@sluice/kubernetes";
import type { RequestAttributes, RequestAuthorizer } from "../api-server/api-server-options.ts";
import type { Store } from "../store/store.ts";
import { ruleAllows } from "./rbac-rules.ts";
import { usernameOf } from "./service-account-tokens.ts";

/** A role's rules, by virtue of which binding somebody has them. */
export interface GrantedRules {
  readonly rules: readonly PolicyRule[];
  /** How a decision explains itself. */
  readonly because: string;
}

type Binding = UnknownObject & (RoleBinding | ClusterRoleBinding);
type Verdict = Awaited<ReturnType<RequestAuthorizer["authorize"]>>;

const GROUP = "rbac.authorization.k8s.io";
const BINDINGS = [`rolebindings.${GROUP}`, `clusterrolebindings.${GROUP}`] as const;

/** Decides by the roles and bindings in a store, which it indexes by subject as they change. Members of system:masters may do everything. */
export class RbacAuthorizer implements RequestAuthorizer, Disposable {
  readonly #store: Store;
  /** The bindings of a subject: by namespace (none for the cluster's) and `kind:name`. */
  readonly #bindings = new Map<string, Set<Binding>>();
  readonly #stop: readonly (() => void)[];

  constructor(store: Store) {
    this.#store = store;
    this.#stop = BINDINGS.map((table) =>
      store.onChange(table, ({ type, object, previous }) => {
        if (previous !== undefined) this.#file(previous as Binding, "remove");
        if (type !== "DELETED") this.#file(object as Binding, "add");
      }),
    );
    for (const table of BINDINGS) for (const binding of store.list(table).items) this.#file(binding as Binding, "add");
  }

  authorize(user: UserInfo, attributes: RequestAttributes): Verdict {
    if (user.groups.includes("system:masters")) return { allowed: true, reason: "" };
    const namespace = attributes.kind === "resource" ? attributes.namespace : undefined;
    for (const { rules, because } of this.rulesOf(user, namespace)) {
      for (const rule of rules) if (ruleAllows(rule, attributes)) return { allowed: true, reason: `RBAC: allowed by ${because}` };
    }
    return { allowed: false, reason: "" };
  }

  /** What a user is granted: everywhere, and in `namespace` if one is given. */
  *rulesOf(user: UserInfo, namespace: string | undefined): Generator<GrantedRules> {
    const subjects = [`User:${user.username}`, ...user.groups.map((group) => `Group:${group}`)];
    for (const scope of namespace === undefined ? [""] : ["", namespace]) {
      for (const subject of subjects) {
        for (const binding of this.#bindings.get(`${scope}/${subject}`) ?? []) {
          const { roleRef, metadata } = binding;
          const rules = this.rulesOfRole(roleRef, scope === "" ? undefined : scope);
          const name = metadata.namespace === undefined ? metadata.name : `${metadata.name}/${metadata.namespace}`;
          yield {
            rules,
            because: `${binding.kind} ${JSON.stringify(name)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)} to ${described(subject)}`,
          };
        }
      }
    }
  }

  /** The rules of the role that a binding in `namespace` refers to; none if it is not there. */
  rulesOfRole({ kind, name }: RoleBinding["roleRef"], namespace: string | undefined): readonly PolicyRule[] {
    const role = kind === "Role" ? this.#store.get(`roles.${GROUP}`, { namespace, name }) : this.#store.get(`clusterroles.${GROUP}`, { name });
    return (role as (UnknownObject & (Role | ClusterRole)) | undefined)?.rules ?? [];
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stop) stop();
  }

  #file(binding: Binding, action: "add" | "remove"): void {
    const { namespace = "" } = binding.metadata;
    for (const subject of binding.subjects ?? []) {
      const key = `${namespace}/${subjectKey(subject, namespace)}`;
      const bindings = this.#bindings.get(key) ?? new Set();
      if (action === "add") this.#bindings.set(key, bindings.add(binding));
      else if (bindings.delete(binding) && bindings.size === 0) this.#bindings.delete(key);
    }
  }
}

/** A service account is the user that its tokens speak for. */
function subjectKey({ kind, name, namespace }: Subject, home: string): string {
  return kind === "ServiceAccount" ? `User:${usernameOf({ namespace: namespace ?? home, name })}` : `${kind}:${name}`;
}

function described(subject: string): string {
  const account = /^User:system:serviceaccount:([^:]+):([^:]+)$/u.exec(subject);
  if (account !== null) return `ServiceAccount ${JSON.stringify(`${account[2]}/${account[1]}`)}`;
  const colon = subject.indexOf(":");
  return `${subject.slice(0, colon)} ${JSON.stringify(subject.slice(colon + 1))}`;
}
