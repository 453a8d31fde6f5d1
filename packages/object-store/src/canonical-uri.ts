import { ApiError } from "@sluice/kubernetes";
import { parseObjectUri } from "./object-uri.ts";

/** The kinds of places that a URI can lead to. */
export type UriScheme = "minio" | "s3" | "gs" | "http" | "https" | "oci" | "file";

/** A URI in the one form that everything about it is decided on. */
export interface CanonicalUri {
  readonly scheme: UriScheme;
  readonly uri: string;
}

const SCHEMES: Readonly<Record<string, UriScheme>> = {
  ...{ minio: "minio", s3: "s3", s3a: "s3", s3n: "s3", gs: "gs", gcs: "gs" },
  ...{ http: "http", https: "https", oci: "oci", file: "file" },
};
/** How often text may be encoded over and over before it is refused unread. */
const MAX_DECODINGS = 3;

/**
 * Brings a URI into its one form, or refuses it (BadRequest) saying why: the scheme in lower case and under its usual name, no slash
 * at the end, and no part that any reader could take for a step up or for two parts: dots, empty parts, backslashes, control
 * characters, encoded once or more. An absolute path is a `file:` URI. Other than that keys and paths are literal.
 */
export function canonicalUri(uri: string): CanonicalUri {
  if (uri.startsWith("/")) return fileUri(uri, uri);
  const [, name = "", rest = ""] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/isu.exec(uri) ?? [];
  const scheme = Object.hasOwn(SCHEMES, name.toLowerCase()) ? SCHEMES[name.toLowerCase()] : undefined;
  switch (scheme) {
    case undefined:
      throw refuse(uri, "it starts with none of minio://, s3://, gs://, http://, https://, oci://, file:// and /");
    case "minio":
    case "s3":
    case "gs": {
      const { bucket, key } = parseObjectUri(`${scheme}://${rest}`);
      checkParts(uri, key);
      return { scheme, uri: key === "" ? bucket : `${bucket}/${key}` };
    }
    case "http":
    case "https":
      return { scheme, uri: webUri(uri) };
    case "oci": {
      if (!/^[\w.:-]+(\/[\w.:@-]+)*$/u.test(rest)) throw refuse(uri, "what follows oci:// is not the name of an image");
      checkParts(uri, rest);
      return { scheme, uri: `oci://${rest}` };
    }
    case "file":
      if (!rest.startsWith("/")) throw refuse(uri, "a file: URI has three slashes: file:///path");
      return fileUri(uri, rest);
  }
}

/** Whether a canonical URI is `directory`, which is canonical too, or lies below it. */
export function isWithin(uri: string, directory: string): boolean {
  return uri === directory || uri.startsWith(`${directory}/`);
}

function fileUri(uri: string, path: string): CanonicalUri {
  const own = path.replace(/\/+$/u, "").slice(1);
  if (own === "") throw refuse(uri, "it is the root of the file system");
  checkParts(uri, own);
  return { scheme: "file", uri: `file:///${own}` };
}

function webUri(uri: string): string {
  if (!URL.canParse(uri)) throw refuse(uri, "it is not a URL");
  if (/[\\\s]/u.test(uri)) throw refuse(uri, "it has a backslash or a space");
  const url = new URL(uri);
  if (url.username !== "" || url.password !== "") throw refuse(uri, "it has a user's name or password, which everybody who sees it could read");
  url.hash = "";
  return url.href;
}

function checkParts(uri: string, path: string): void {
  if (path === "") return;
  for (const part of path.split("/")) {
    let text = part;
    for (let count = 0; ; count++) {
      if (text === "") throw refuse(uri, 'it has an empty part ("//")');
      if (text === "." || text === "..") throw refuse(uri, `it has ${JSON.stringify(part)} as a part`);
      // oxlint-disable-next-line no-control-regex
      if (/[\\\u0000-\u001f\u007f]/u.test(text) || (count > 0 && text.includes("/"))) {
        throw refuse(uri, `${JSON.stringify(part)} has a slash, a backslash or a control character, perhaps encoded`);
      }
      const decoded = text.replace(/%([0-9a-f]{2})/giu, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
      if (decoded === text) break;
      if (count === MAX_DECODINGS) throw refuse(uri, `${JSON.stringify(part)} is encoded over and over`);
      text = decoded;
    }
  }
}

function refuse(uri: string, why: string): ApiError {
  const shown = uri.length > 200 ? `${uri.slice(0, 200)}…` : uri;
  return new ApiError("BadRequest", `${JSON.stringify(shown)} cannot be the URI of an artifact: ${why}`);
}
