import type { UserInfo } from "@sluice/client";

/** Who makes a request to a component, as the gateway authenticated it. The same shape the Kubernetes API uses. */
export type Identity = UserInfo;

/** The one user of a home that nobody else can reach: everything on loopback is theirs. */
export const LOCAL_USER: Identity = { username: "local", groups: ["system:masters", "system:authenticated"] };
