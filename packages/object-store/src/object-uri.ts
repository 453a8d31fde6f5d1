import { ApiError } from "@sluice/kubernetes";

/** Where an object is. */
export interface ObjectAddress {
  /** Scheme and bucket, e.g. `minio://mlpipeline`. */
  readonly bucket: string;
  /** Empty for the bucket itself. */
  readonly key: string;
}

const URI = /^((?:minio|s3|gs):\/\/([^/]*))(?:\/(.*))?$/su;
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/u;
/** What S3 allows. */
const MAX_KEY_BYTES = 1024;
/** What a file's name may have: every key must be able to become a path. */
const MAX_SEGMENT_BYTES = 255;
/** Also in the form that a careless reader of URLs would decode. */
const DOTS = /^(?:\.|%2e){1,2}$/iu;

/** Reads an object's URI; keys are taken literally, and only those that may become a path below any directory are allowed. */
export function parseObjectUri(uri: string): ObjectAddress {
  const [, bucket = "", name = "", rest = ""] = URI.exec(uri) ?? [];
  if (bucket === "") throw invalidUri(uri, "it does not start with minio://, s3:// or gs://");
  if (!BUCKET.test(name)) throw invalidUri(uri, `${JSON.stringify(name)} cannot be a bucket: use 1 to 63 letters, digits, ".", "_" and "-"`);
  const key = rest.replace(/\/+$/u, "");
  if (key !== "") checkKey(uri, key);
  return { bucket, key };
}

/** Reads the URI of something that can be stored: not that of a bucket. */
export function parseStoredUri(uri: string): ObjectAddress {
  const address = parseObjectUri(uri);
  if (address.key === "") throw invalidUri(uri, "it names a bucket and no object: add a key");
  return address;
}

/** The URI of an address. */
export function objectUri(bucket: string, key: string): string {
  return `${bucket}/${key}`;
}

function checkKey(uri: string, key: string): void {
  if (!key.isWellFormed()) throw invalidUri(uri, "its key is not well-formed Unicode");
  if (key.includes("\0")) throw invalidUri(uri, "its key has a NUL character");
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) throw invalidUri(uri, `its key is longer than ${MAX_KEY_BYTES} bytes`);
  for (const segment of key.split("/")) {
    if (segment === "") throw invalidUri(uri, 'its key has an empty part ("//")');
    if (DOTS.test(segment)) throw invalidUri(uri, `its key has ${JSON.stringify(segment)} as a part`);
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) throw invalidUri(uri, `a part of its key is longer than ${MAX_SEGMENT_BYTES} bytes`);
  }
}

function invalidUri(uri: string, why: string): ApiError {
  const shown = uri.length > 200 ? `${uri.slice(0, 200)}…` : uri;
  return new ApiError("BadRequest", `${JSON.stringify(shown)} cannot be the URI of an object: ${why}`);
}
