import type { UnknownObject } from "@sluice/kubernetes";

/** What the fields of core Events are called in events.k8s.io. */
const RENAMED: Readonly<Record<string, string>> = {
  involvedObject: "regarding",
  message: "note",
  source: "deprecatedSource",
  firstTimestamp: "deprecatedFirstTimestamp",
  lastTimestamp: "deprecatedLastTimestamp",
  count: "deprecatedCount",
  reportingComponent: "reportingController",
};
const ORIGINAL: Readonly<Record<string, string>> = Object.fromEntries(Object.entries(RENAMED).map(([core, other]) => [other, core]));

/** A core Event as events.k8s.io shows it. */
export function toEventsGroup(event: UnknownObject): UnknownObject {
  return { ...rename(event, RENAMED), apiVersion: "events.k8s.io/v1", kind: event.kind, metadata: event.metadata };
}

/** An Event of events.k8s.io as the core group has it, which is how both are stored. */
export function toCoreGroup(event: UnknownObject): UnknownObject {
  return { ...rename(event, ORIGINAL), apiVersion: "v1", kind: event.kind, metadata: event.metadata };
}

function rename(event: UnknownObject, names: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [names[name] ?? name, value]));
}
