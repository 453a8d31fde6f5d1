/** The media types of a server-side apply. */
export const APPLY_TYPES: readonly string[] = ["application/apply-patch+yaml", "application/apply-patch+json"];

/** The media type that a Content-Type names, without parameters. */
export function mediaTypeOf(contentType = ""): string {
  return contentType.split(";")[0]?.trim().toLowerCase() ?? "";
}

/** Whether a Content-Type announces a server-side apply. */
export function isApply(contentType: string | undefined): boolean {
  return APPLY_TYPES.includes(mediaTypeOf(contentType));
}
