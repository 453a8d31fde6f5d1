import { isDeepStrictEqual } from "node:util";
import type { ReconcileContext } from "@sluice/controller";
import { EndpointSlice, isApiError } from "@sluice/kubernetes";
import { isNamespaceTerminating } from "../namespace-terminating.ts";

/** Makes `present` slices what is wanted: creates, changes and deletes. */
export async function keepSlices(wanted: readonly EndpointSlice[], present: readonly EndpointSlice[], { client }: ReconcileContext): Promise<void> {
  try {
    for (const slice of wanted) {
      const old = present.find(({ metadata }) => metadata.name === slice.metadata.name);
      if (old === undefined) await client.create(EndpointSlice, slice);
      else if (!isSame(old, slice)) await client.update(EndpointSlice, { ...slice, metadata: { ...old.metadata, ...slice.metadata } });
    }
  } catch (error) {
    if (isNamespaceTerminating(error)) return;
    throw error;
  }
  for (const { metadata } of present) {
    if (wanted.some((slice) => slice.metadata.name === metadata.name)) continue;
    try {
      await client.delete(EndpointSlice, metadata, metadata.uid === undefined ? {} : { preconditions: { uid: metadata.uid } });
    } catch (error) {
      if (!isApiError(error, "Conflict")) throw error; // Another has its name by now.
    }
  }
}

function isSame(old: EndpointSlice, slice: EndpointSlice): boolean {
  const content = ({ metadata, addressType, endpoints, ports = [] }: EndpointSlice): unknown => [metadata.labels, addressType, endpoints, ports];
  return isDeepStrictEqual(content(old), content(slice));
}
