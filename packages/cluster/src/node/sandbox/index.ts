export * from "./sandbox.ts";
export * from "./open-sandboxes.ts";
