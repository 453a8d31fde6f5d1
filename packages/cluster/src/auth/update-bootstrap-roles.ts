import type { Client } from "@sluice/client";
import { ClusterRole, ClusterRoleBinding, type KubernetesObject, type Resource, type UnknownObject, jsonEqual } from "@sluice/kubernetes";
import { bootstrapRoles } from "./bootstrap-roles.ts";

const AUTOUPDATE = "rbac.authorization.k8s.io/autoupdate";

/**
 * Gives the roles and bindings that an older version has made what this version's have more. What was added to them
 * stays, and those annotated with autoupdate "false" are left alone, as upstream.
 */
export async function updateBootstrapRoles(client: Client): Promise<void> {
  const rulesOf = ({ rules = [] }: ClusterRole): readonly unknown[] => rules;
  const subjectsOf = ({ subjects = [] }: ClusterRoleBinding): readonly unknown[] => subjects;
  await Promise.all(
    bootstrapRoles.map((wanted) =>
      wanted.kind === ClusterRole.kind
        ? complete(client, ClusterRole, { wanted, field: "rules", listOf: rulesOf })
        : complete(client, ClusterRoleBinding, { wanted, field: "subjects", listOf: subjectsOf }),
    ),
  );
}

interface Completion<T extends KubernetesObject> {
  readonly wanted: UnknownObject;
  readonly field: "rules" | "subjects";
  readonly listOf: (object: T) => readonly unknown[];
}

async function complete<T extends KubernetesObject>(client: Client, resource: Resource<T>, { wanted, field, listOf }: Completion<T>): Promise<void> {
  const { name } = wanted.metadata;
  const current = await client.find(resource, { name });
  if (current === undefined || current.metadata.annotations?.[AUTOUPDATE] === "false") return;
  const has = listOf(current);
  const needs: unknown = wanted[field];
  const missing = Array.isArray(needs) ? needs.filter((one: unknown) => !has.some((other) => jsonEqual(one, other))) : [];
  if (missing.length > 0) await client.patch(resource, { name }, { type: "merge", body: { [field]: [...has, ...missing] } });
}
