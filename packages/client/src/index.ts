/**
 * The Kubernetes API as an interface, over two transports: HTTPS for any cluster, in-process for the embedded one.
 * Objects pass through untouched: fields that this program does not know survive a read and a write.
 */
export * from "./client.ts";
export * from "./cluster-access.ts";
export * from "./connection.ts";
export * from "./execute-command.ts";
export * from "./forward-port.ts";
export * from "./https-transport.ts";
export * from "./kubeconfig.ts";
export * from "./resource-client.ts";
export * from "./transport.ts";
