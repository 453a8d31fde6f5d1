const TYPES: Readonly<Record<string, string>> = {
  ...{ css: "text/css", csv: "text/csv", htm: "text/html", html: "text/html", log: "text/plain", md: "text/markdown", txt: "text/plain" },
  ...{ gif: "image/gif", jpeg: "image/jpeg", jpg: "image/jpeg", png: "image/png", svg: "image/svg+xml", webp: "image/webp" },
  ...{ json: "application/json", jsonl: "application/x-ndjson", pdf: "application/pdf", yaml: "application/yaml", yml: "application/yaml" },
  ...{ gz: "application/gzip", zip: "application/zip", js: "text/javascript", mp4: "video/mp4", wav: "audio/wav" },
};
/** What a browser would run. */
const ACTIVE: ReadonlySet<string> = new Set(["text/html", "image/svg+xml", "text/javascript"]);
/** What shows content within a page of ours, where it has no origin, or hands it to a script as data. */
const HARMLESS: ReadonlySet<string> = new Set(["iframe", "image", "empty"]);

/** The content type of a file by its name, or else by its artifact's schema. */
export function contentType(fileName: string, schemaTitle: string | undefined): string {
  const extension = /\.([a-z0-9]+)$/iu.exec(fileName)?.[1]?.toLowerCase() ?? "";
  const known = Object.hasOwn(TYPES, extension) ? TYPES[extension] : undefined;
  if (known !== undefined) return known;
  if (schemaTitle === "system.HTML") return "text/html";
  return schemaTitle === "system.Markdown" ? "text/markdown" : "application/octet-stream";
}

/** Whether a browser shows a file or stores it: a page of somebody else's is never opened here as a page of its own. */
export function disposition(type: string, fileName: string, destination: string | undefined): string {
  const isShown = !ACTIVE.has(type) || HARMLESS.has(destination ?? "");
  return `${isShown ? "inline" : "attachment"}; filename="${fileName}"`;
}
