/**
 * The scheduler: gives pods their nodes. What the nodes' pods take is kept up to date event by event, so that placing a
 * pod costs the same however many there are; what cannot be placed waits for a change, and pods that ask for the same
 * wait as one. Pods of a group get their nodes in one decision, or none of them does.
 */
export { podGroupDefinition } from "./pod-group-definition.ts";
export { runScheduler } from "./scheduler.ts";
