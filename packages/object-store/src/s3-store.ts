import { createReadStream } from "node:fs";
import { stat as statFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { S3Client } from "@aws-sdk/client-s3";
import { ApiError } from "@sluice/kubernetes";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { objectUri, parseObjectUri, parseStoredUri } from "./object-uri.ts";
import { isListed, publicAgents } from "./private-hosts.ts";
import { remoteError } from "./remote-error.ts";
import { HashTap, once, writeHashed } from "./write-hashed.ts";

const MEBIBYTE = 2 ** 20;
const READ_BYTES = MEBIBYTE;
/** How large the parts of an upload are, how many S3 takes of them, and how many are on their way at once. */
const PART_BYTES = 8 * MEBIBYTE;
const MAX_PARTS = 10_000;
const PARTS_AT_ONCE = 3;
/** Of bytes whose number is not known, the parts must do for as many as may come. */
const STREAM_PART_BYTES = 16 * MEBIBYTE;
const DELETES_AT_ONCE = 16;
const DEFAULT_RETRIES = 5;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long a server may say nothing. */
const IDLE_TIMEOUT_MS = 60_000;
const MAX_SOCKETS = 50;

/** An S3-compatible store, and how it is spoken to. */
export interface S3StoreOptions {
  /** `host:port` or a URL; Amazon's own of the region unless given. */
  readonly endpoint?: string;
  readonly region?: string;
  /** Whether an endpoint without a scheme speaks HTTP rather than HTTPS. */
  readonly isPlain?: boolean;
  /** Whether the bucket stands in the path rather than in the host's name; it does unless told otherwise. */
  readonly isPathStyle?: boolean;
  readonly maxRetries?: number;
  /** Hosts (`host` or `host:port`) that an endpoint may lead to although they are not of the public internet. */
  readonly privateHosts?: readonly string[];
  /** Keys; those of this program's environment; or none. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | "environment" | "anonymous";
  /** What messages call it. */
  readonly name: string;
}

/** Opens an S3-compatible store. Nothing is asked of it, nor is its client loaded, before it is first used. */
export function s3Store(options: S3StoreOptions): ObjectStore {
  return new S3Store(options);
}

type Sdk = typeof import("@aws-sdk/client-s3");

class S3Store implements ObjectStore {
  readonly #options: S3StoreOptions;
  #opened: Promise<{ readonly sdk: Sdk; readonly client: S3Client }> | undefined;

  constructor(options: S3StoreOptions) {
    this.#options = options;
  }

  async putFile(uri: string, path: string): Promise<ObjectInfo> {
    const found = await this.#do(`store ${uri}`, () => statFile(path));
    if (!found.isFile()) throw new ApiError("BadRequest", `cannot store ${path}: it is not a file`);
    const partBytes = Math.max(PART_BYTES, Math.ceil(found.size / MAX_PARTS / MEBIBYTE) * MEBIBYTE);
    return this.#upload(uri, createReadStream(path, { highWaterMark: READ_BYTES }), partBytes);
  }

  put(uri: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<ObjectInfo> {
    return this.#upload(uri, bytes instanceof Uint8Array ? once(bytes) : bytes, STREAM_PART_BYTES);
  }

  async getFile(uri: string, path: string): Promise<ObjectInfo> {
    const hashed = await this.#do(`bring ${uri} to ${path}`, () => writeHashed(path, this.#read(uri, undefined)));
    return { uri, ...hashed };
  }

  async *get(uri: string, range: { readonly start?: number; readonly end?: number } = {}): AsyncGenerator<Uint8Array> {
    const { start = 0, end } = range;
    if (end !== undefined && end <= start) return;
    const wanted = start === 0 && end === undefined ? undefined : `bytes=${start}-${end === undefined ? "" : end - 1}`;
    try {
      yield* this.#read(uri, wanted);
    } catch (cause) {
      if (hasStatus(cause, 416)) return;
      throw this.#error(`read ${uri}`, cause);
    }
  }

  async stat(uri: string): Promise<ObjectInfo | undefined> {
    const { bucket, key } = parseObjectUri(uri);
    if (key === "") return undefined;
    const { sdk, client } = await this.#open();
    try {
      const found = await client.send(new sdk.HeadObjectCommand({ Bucket: nameOf(bucket), Key: key }));
      return { uri: objectUri(bucket, key), size: found.ContentLength ?? 0, digest: `etag:${found.ETag ?? ""}` };
    } catch (cause) {
      if (hasStatus(cause, 404)) return undefined;
      throw this.#error(`look at ${uri}`, cause);
    }
  }

  async *list(uri: string): AsyncGenerator<ObjectInfo> {
    const { bucket, key } = parseObjectUri(uri);
    const { sdk, client } = await this.#open();
    const prefix = key === "" ? "" : `${key}/`;
    for (let next: string | undefined, isFirst = true; isFirst || next !== undefined; isFirst = false) {
      const page = await this.#do(`list ${uri}`, () =>
        client.send(new sdk.ListObjectsV2Command({ Bucket: nameOf(bucket), Prefix: prefix, ContinuationToken: next })),
      );
      for (const { Key, Size = 0, ETag = "" } of page.Contents ?? []) {
        // What tools make to show an empty directory is no object.
        if (Key === undefined || Key.endsWith("/")) continue;
        yield { uri: objectUri(bucket, Key), size: Size, digest: `etag:${ETag}` };
      }
      next = page.NextContinuationToken;
    }
  }

  async delete(uri: string): Promise<void> {
    const { bucket, key } = parseObjectUri(uri);
    const { sdk, client } = await this.#open();
    const remove = (each: string): Promise<unknown> => client.send(new sdk.DeleteObjectCommand({ Bucket: nameOf(bucket), Key: each }));
    await this.#do(`delete ${uri}`, async () => {
      let batch: string[] = key === "" ? [] : [key];
      for await (const below of this.list(uri)) {
        batch.push(parseObjectUri(below.uri).key);
        if (batch.length < DELETES_AT_ONCE) continue;
        await Promise.all(batch.map(remove));
        batch = [];
      }
      await Promise.all(batch.map(remove));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (await this.#opened)?.client.destroy();
  }

  async #upload(uri: string, bytes: AsyncIterable<Uint8Array>, partBytes: number): Promise<ObjectInfo> {
    const { bucket, key } = parseStoredUri(uri);
    const { client } = await this.#open();
    const { Upload } = await import("@aws-sdk/lib-storage");
    const tap = new HashTap();
    await this.#do(`store ${uri}`, async () => {
      const upload = new Upload({
        client,
        params: { Bucket: nameOf(bucket), Key: key, Body: Readable.from(tap.through(bytes), { objectMode: false, highWaterMark: READ_BYTES }) },
        partSize: partBytes,
        queueSize: PARTS_AT_ONCE,
      });
      await upload.done();
    });
    return { uri: objectUri(bucket, key), ...tap.result() };
  }

  async *#read(uri: string, range: string | undefined): AsyncGenerator<Uint8Array> {
    const { bucket, key } = parseStoredUri(uri);
    const { sdk, client } = await this.#open();
    const request = { Bucket: nameOf(bucket), Key: key, ...(range === undefined ? {} : { Range: range }) };
    const { Body, ContentLength } = await client.send(new sdk.GetObjectCommand(request));
    if (!(Body instanceof Readable)) return;
    let size = 0;
    for await (const chunk of Body as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      yield chunk;
    }
    if (ContentLength !== undefined && size !== ContentLength)
      throw new ApiError("ServiceUnavailable", `only ${size} of the ${ContentLength} bytes of ${uri} came from ${this.#options.name}`);
  }

  #open(): Promise<{ readonly sdk: Sdk; readonly client: S3Client }> {
    return (this.#opened ??= open(this.#options));
  }

  async #do<R>(doing: string, work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (cause) {
      throw this.#error(doing, cause);
    }
  }

  #error(doing: string, cause: unknown): unknown {
    return remoteError(doing, this.#options.name, cause);
  }
}

async function open(options: S3StoreOptions): Promise<{ readonly sdk: Sdk; readonly client: S3Client }> {
  const sdk = await import("@aws-sdk/client-s3");
  const {
    endpoint,
    region = "us-east-1",
    isPlain = false,
    isPathStyle = true,
    maxRetries = DEFAULT_RETRIES,
    credentials,
    privateHosts = [],
  } = options;
  const url = endpoint === undefined || /^https?:\/\//u.test(endpoint) ? endpoint : `${isPlain ? "http" : "https"}://${endpoint}`;
  const client = new sdk.S3Client({
    region,
    ...(url === undefined ? {} : { endpoint: url }),
    forcePathStyle: isPathStyle,
    maxAttempts: maxRetries + 1,
    // Many compatible stores do not understand the newer checksums; SHA-256 of ours is verified anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
      ...(url === undefined || isListed(privateHosts, new URL(url)) ? {} : publicAgents(MAX_SOCKETS)),
    },
    ...(credentials === "environment" ? {} : credentials === "anonymous" ? { signer: UNSIGNED, credentials: NOBODY } : { credentials }),
  });
  return { sdk, client };
}

const NOBODY = { accessKeyId: "", secretAccessKey: "" };
const UNSIGNED = { sign: <R>(request: R): Promise<R> => Promise.resolve(request) };

/** S3's name of a bucket, without the scheme. */
function nameOf(bucket: string): string {
  return bucket.slice(bucket.indexOf("://") + "://".length);
}

function hasStatus(error: unknown, status: number): boolean {
  if (!(error instanceof Error && "$metadata" in error)) return false;
  const { $metadata } = error;
  return typeof $metadata === "object" && $metadata !== null && "httpStatusCode" in $metadata && $metadata.httpStatusCode === status;
}
