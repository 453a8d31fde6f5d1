/**
 * The scheduler: gives pods their nodes. What the nodes' pods take is kept up to date event by event, so that placing a
 * pod costs the same however many there are; what cannot be placed waits for a change, and pods that ask for the same
 * wait as one.
 */
export { runScheduler } from "./scheduler.ts";
