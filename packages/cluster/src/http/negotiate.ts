import { ApiError } from "@sluice/kubernetes";

/** The form in which a client wants an answer. */
export type Form = "object" | "table" | "metadata";

const META = "meta.k8s.io";

/**
 * The form of the first media type in an Accept header that the answer can have; undefined if there is none. All are
 * JSON: clients that prefer another encoding take JSON as well. `canTransform` says whether the answer has other forms.
 */
export function negotiate(accept: string | undefined, options: { readonly canTransform: boolean }): Form | undefined {
  if (accept === undefined || accept === "" || accept === "*/*" || accept === "application/json") return "object";
  for (const range of rangesOf(accept)) {
    const [type, ...parameters] = range.split(";").map((part) => part.trim());
    if (type !== "application/json" && type !== "*/*" && type !== "application/*") continue;
    const as = parameters.find((one) => one.startsWith("as="))?.slice(3);
    if (as === undefined) return "object";
    if (!options.canTransform || !parameters.includes(`g=${META}`) || !parameters.some((one) => one === "v=v1" || one === "v=v1beta1")) continue;
    if (as === "Table") return "table";
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return "metadata";
  }
  return undefined;
}

/** The ranges of an Accept header, the most wanted first. */
function rangesOf(accept: string): string[] {
  const ranges = accept.split(",").map((range) => ({ range, quality: Number(/;\s*q=([\d.]+)/u.exec(range)?.[1] ?? 1) }));
  return ranges
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality)
    .map(({ range }) => range);
}

/** The 406 for a client that takes nothing that there is. */
export function notAcceptable(): ApiError {
  return new ApiError("NotAcceptable", "only the following media types are accepted: application/json");
}
