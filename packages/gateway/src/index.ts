/**
 * The one door for people, browsers and SDKs. It decides who asks (whatever a request says of itself is stripped first),
 * refuses what another web page may have sent in the user's name, hands the request to the component whose path it is,
 * and turns errors into the wire's words in one place. What is no API is the dashboard.
 */
export * from "./gateway.ts";
export type { KubernetesApi } from "./kubernetes-api.ts";
