/**
 * Controllers: loops that compare what is asked for with what is, and act on the difference. A reflector per resource
 * keeps a read-only cache equal to the API and turns every change into a key; a work queue per controller hands each
 * key to one worker at a time; a reconciler is told nothing but the key, so that a missed, doubled or reordered event
 * can do no harm, and it never meets a cache that is older than its own writes. Failures back off and try again, forever, except for those that no retry can mend. Time is injected:
 * a test may let a month of backoff pass in a millisecond.
 */
export * from "./cache.ts";
export * from "./clock.ts";
export * from "./controller.ts";
export * from "./event-recorder.ts";
export * from "./fifo.ts";
export * from "./manager.ts";
export * from "./reflector.ts";
export * from "./work-queue.ts";
