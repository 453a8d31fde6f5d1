import type { Client } from "@sluice/client";
import type { Action, Gate } from "@sluice/component";
import { ApiError } from "@sluice/kubernetes";

/** Asks the cluster's authorisation, so that its RBAC rules decide on everything. */
export function clusterGate(client: Client): Gate {
  return {
    async authorize(identity, action) {
      if (identity.groups.includes("system:masters")) return; // As in any Kubernetes: no rule can hold them.
      const { username, groups, uid, extra } = identity;
      const { group, ...attributes } = action;
      const { status } = await client.request<{ status?: { allowed?: boolean; reason?: string } }>({
        method: "POST",
        path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        body: {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          metadata: {},
          spec: {
            user: username,
            groups,
            ...(uid === undefined ? {} : { uid }),
            ...(extra === undefined ? {} : { extra }),
            resourceAttributes: { group, ...attributes },
          },
        },
      });
      if (status?.allowed !== true) throw new ApiError("Forbidden", refusal(username, action, status?.reason));
    },
  };
}

function refusal(username: string, { verb, group, resource, subresource, namespace, name }: Action, reason: string | undefined): string {
  const what = `${resource}${subresource === undefined ? "" : `/${subresource}`}${group === "" ? "" : `.${group}`}`;
  const object = name === undefined ? what : `${what} ${JSON.stringify(name)}`;
  const where = namespace === undefined ? "" : ` in the namespace ${JSON.stringify(namespace)}`;
  return `user ${JSON.stringify(username)} cannot ${verb} ${object}${where}${reason === undefined || reason === "" ? "" : `: ${reason}`}`;
}
