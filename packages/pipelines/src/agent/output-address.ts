import { isApiError } from "@sluice/kubernetes";
import { canonicalUri, isWithin } from "@sluice/object-store/canonical-uri";
import { uriOfContainer } from "../domain/executor-input.ts";

/** Where an output is: where its task may store, elsewhere, or where it must not be. */
export type OutputAddress =
  | { readonly kind: "own"; readonly uri: string }
  /** It is recorded as the executor named it; nothing is stored there. */
  | { readonly kind: "named"; readonly uri: string }
  | { readonly kind: "refused"; readonly why: string };

/**
 * Decides on the URI that an executor reported of its output. It may store below the address that its task was given, and nowhere else;
 * it may name any address that it has filled by itself, or that is no address of a store. A URI is brought into its one form before it is looked at.
 */
export function outputAddress(told: string | undefined, { expected, home }: { readonly expected: string; readonly home: string }): OutputAddress {
  const given = uriOfContainer(told ?? "").replace(/(?<=[^/])\/+$/u, "");
  if (given === "" || given === expected) return { kind: "own", uri: expected };
  if (!/^(minio|s3a?|s3n|gc?s|file):/iu.test(given)) return { kind: "named", uri: given };
  try {
    const { uri } = canonicalUri(given);
    return { kind: isWithin(uri, canonicalUri(home).uri) ? "own" : "named", uri };
  } catch (error) {
    if (!isApiError(error)) throw error;
    return { kind: "refused", why: error.message };
  }
}
