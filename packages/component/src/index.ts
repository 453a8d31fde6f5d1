/**
 * The shape that every subproject has. A component is a value: what it stores, what it serves, what it controls. It
 * never reaches for the world; the platform hands it the few capabilities declared here, and mounts what it returns.
 * Components never import each other: they meet through Kubernetes objects, REST and these capabilities.
 */
export * from "./component.ts";
export * from "./gate.ts";
export * from "./identity.ts";
export * from "./program.ts";
export * from "./rpc-status.ts";
