import type { IncomingMessage } from "node:http";
import type { UserInfo } from "@sluice/client";
import { forbidden, badRequest } from "../api-server/api-errors.ts";
import type { RequestAttributes, RequestAuthorizer } from "../api-server/api-server-options.ts";
import { accountGroups } from "./service-account-tokens.ts";

const PREFIX = "impersonate-";
const EXTRA = "impersonate-extra-";
const AUTHENTICATION = "authentication.k8s.io";

/** The user that a request's headers ask to act as, if `user` may act as each part of it; `user` itself if they ask for nothing. Throws Forbidden. */
export async function impersonate(
  request: Pick<IncomingMessage, "headers" | "headersDistinct">,
  user: UserInfo,
  authorizer: RequestAuthorizer,
): Promise<UserInfo> {
  if (!Object.keys(request.headers).some((name) => name.startsWith(PREFIX))) return user;
  const wanted = wantedUser(request.headersDistinct);
  if (wanted === undefined) return user;
  for (const part of partsOf(wanted)) {
    const attributes: RequestAttributes = { kind: "resource", verb: "impersonate", version: "v1", ...part };
    const { allowed, reason } = await authorizer.authorize(user, attributes);
    if (!allowed) throw refusal(user, part, reason);
  }
  return withImpliedGroups(wanted);
}

interface Part {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

function wantedUser(headers: NodeJS.Dict<string[]>): UserInfo | undefined {
  const username = headers["impersonate-user"]?.[0];
  const uid = headers["impersonate-uid"]?.[0];
  const groups = headers["impersonate-group"] ?? [];
  const extra = Object.fromEntries(
    Object.entries(headers).flatMap(([name, values = []]) => (name.startsWith(EXTRA) ? [[decode(name.slice(EXTRA.length)), values] as const] : [])),
  );
  if (username === undefined) {
    if (uid !== undefined || groups.length > 0 || Object.keys(extra).length > 0)
      throw badRequest("requested groups or extra without impersonating a user");
    return undefined;
  }
  return { username, groups, ...(uid === undefined ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) };
}

function partsOf({ username, uid, groups, extra = {} }: UserInfo): Part[] {
  const account = accountOf(username);
  return [
    account === undefined ? { group: "", resource: "users", name: username } : { group: "", resource: "serviceaccounts", ...account },
    ...groups.map((name) => ({ group: "", resource: "groups", name })),
    ...(uid === undefined ? [] : [{ group: AUTHENTICATION, resource: "uids", name: uid }]),
    ...Object.entries(extra).flatMap(([subresource, values]) =>
      values.map((name) => ({ group: AUTHENTICATION, resource: "userextras", subresource, name })),
    ),
  ];
}

/** Who is authenticated is in the group that says so; service accounts are in theirs unless other groups are asked for. */
function withImpliedGroups(wanted: UserInfo): UserInfo {
  const account = accountOf(wanted.username);
  const groups = account === undefined || wanted.groups.length > 0 ? [...wanted.groups] : accountGroups(account.namespace);
  const implied = wanted.username === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  const isStated = groups.includes("system:authenticated") || groups.includes("system:unauthenticated");
  return { ...wanted, groups: isStated ? groups : [...groups, implied] };
}

function accountOf(username: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/u.exec(username) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

function refusal(user: UserInfo, { group, resource, subresource, namespace, name }: Part, reason: string): Error {
  const plural = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const because = reason === "" ? "" : `: ${reason}`;
  return forbidden(
    { plural: resource, group },
    name,
    `User ${JSON.stringify(user.username)} cannot impersonate resource ${JSON.stringify(plural)} in API group ${JSON.stringify(group)} ${where}${because}`,
  );
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // Clients that do not escape mean it as it stands.
  }
}
