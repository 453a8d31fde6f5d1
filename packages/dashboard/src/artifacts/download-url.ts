/** Where an artifact's bytes are, or those of one file in it. */
export function downloadUrl(artifactId: string, path?: string): string {
  return `/apis/v2beta1/artifacts/${encodeURIComponent(artifactId)}:download${path === undefined ? "" : `?path=${encodeURIComponent(path)}`}`;
}
