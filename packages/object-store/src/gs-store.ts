import { createReadStream } from "node:fs";
import { stat as statFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { File, Storage } from "@google-cloud/storage";
import { ApiError } from "@sluice/kubernetes";
import type { ObjectInfo, ObjectStore } from "./object-store.ts";
import { objectUri, parseObjectUri, parseStoredUri } from "./object-uri.ts";
import { isListed } from "./private-hosts.ts";
import { remoteError } from "./remote-error.ts";
import { HashTap, once, writeHashed } from "./write-hashed.ts";

const READ_BYTES = 2 ** 20;
/** From this size on an upload is resumable. */
const RESUMABLE_BYTES = 8 * 2 ** 20;
const CHUNK_BYTES = 16 * 2 ** 20;
const DELETES_AT_ONCE = 16;
/** Not the library's default, so that it sends no credentials there. */
const PUBLIC_ENDPOINT = "https://storage.googleapis.com:443";

/** A Google Cloud Storage, and how it is spoken to. */
export interface GsStoreOptions {
  /** A URL, of an emulator say; Google's own unless given. */
  readonly endpoint?: string;
  /** Hosts (`host` or `host:port`) that an endpoint which is not Google's may lead to. */
  readonly privateHosts?: readonly string[];
  /** A service account's key as Google gives it (JSON); that of this program's environment; or none. */
  readonly credentials: { readonly key: string } | "environment" | "anonymous";
  /** What messages call it. */
  readonly name: string;
}

/** Opens a Google Cloud Storage. Nothing is asked of it, nor is its client loaded, before it is first used. */
export function gsStore(options: GsStoreOptions): ObjectStore {
  return new GsStore(options);
}

class GsStore implements ObjectStore {
  readonly #options: GsStoreOptions;
  #opened: Promise<Storage> | undefined;

  constructor(options: GsStoreOptions) {
    this.#options = options;
  }

  async putFile(uri: string, path: string): Promise<ObjectInfo> {
    const found = await this.#do(`store ${uri}`, () => statFile(path));
    if (!found.isFile()) throw new ApiError("BadRequest", `cannot store ${path}: it is not a file`);
    return this.#upload(uri, createReadStream(path, { highWaterMark: READ_BYTES }), found.size >= RESUMABLE_BYTES);
  }

  put(uri: string, bytes: AsyncIterable<Uint8Array> | Uint8Array): Promise<ObjectInfo> {
    return bytes instanceof Uint8Array ? this.#upload(uri, once(bytes), bytes.length >= RESUMABLE_BYTES) : this.#upload(uri, bytes, true);
  }

  async getFile(uri: string, path: string): Promise<ObjectInfo> {
    const hashed = await this.#do(`bring ${uri} to ${path}`, () => writeHashed(path, this.#read(uri, {})));
    return { uri, ...hashed };
  }

  async *get(uri: string, range: { readonly start?: number; readonly end?: number } = {}): AsyncGenerator<Uint8Array> {
    const { start = 0, end } = range;
    if (end !== undefined && end <= start) return;
    try {
      const part = start === 0 && end === undefined ? {} : { start, ...(end === undefined ? {} : { end: end - 1 }) };
      yield* this.#read(uri, part);
    } catch (cause) {
      if (isStatus(cause, 416)) return;
      throw this.#error(`read ${uri}`, cause);
    }
  }

  async stat(uri: string): Promise<ObjectInfo | undefined> {
    const { bucket, key } = parseObjectUri(uri);
    if (key === "") return undefined;
    try {
      const [{ size = 0, etag = "" }] = await (await this.#file(bucket, key)).getMetadata();
      return { uri: objectUri(bucket, key), size: Number(size), digest: `etag:${etag}` };
    } catch (cause) {
      if (isStatus(cause, 404)) return undefined;
      throw this.#error(`look at ${uri}`, cause);
    }
  }

  async *list(uri: string): AsyncGenerator<ObjectInfo> {
    const { bucket, key } = parseObjectUri(uri);
    const storage = await this.#open();
    try {
      const stream = storage.bucket(nameOf(bucket)).getFilesStream({ prefix: key === "" ? "" : `${key}/` });
      for await (const { name, metadata } of stream as AsyncIterable<File>) {
        // What tools make to show an empty directory is no object.
        if (!name.endsWith("/")) yield { uri: objectUri(bucket, name), size: Number(metadata.size ?? 0), digest: `etag:${metadata.etag ?? ""}` };
      }
    } catch (cause) {
      throw this.#error(`list ${uri}`, cause);
    }
  }

  async delete(uri: string): Promise<void> {
    const { bucket, key } = parseObjectUri(uri);
    const remove = async (each: string): Promise<unknown> => (await this.#file(bucket, each)).delete({ ignoreNotFound: true });
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

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #upload(uri: string, bytes: AsyncIterable<Uint8Array>, resumable: boolean): Promise<ObjectInfo> {
    const { bucket, key } = parseStoredUri(uri);
    const tap = new HashTap();
    await this.#do(`store ${uri}`, async () => {
      const target = (await this.#file(bucket, key)).createWriteStream({ resumable, ...(resumable ? { chunkSize: CHUNK_BYTES } : {}) });
      await pipeline(Readable.from(tap.through(bytes), { objectMode: false, highWaterMark: READ_BYTES }), target);
    });
    return { uri: objectUri(bucket, key), ...tap.result() };
  }

  async *#read(uri: string, range: { readonly start?: number; readonly end?: number }): AsyncGenerator<Uint8Array> {
    const { bucket, key } = parseStoredUri(uri);
    yield* (await this.#file(bucket, key)).createReadStream(range) as AsyncIterable<Uint8Array>;
  }

  async #file(bucket: string, key: string): Promise<File> {
    return (await this.#open()).bucket(nameOf(bucket)).file(key);
  }

  #open(): Promise<Storage> {
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

async function open({ endpoint, credentials, privateHosts = [], name }: GsStoreOptions): Promise<Storage> {
  if (endpoint !== undefined) checkEndpoint(endpoint, privateHosts, name);
  const { Storage: Client } = await import("@google-cloud/storage");
  if (credentials === "anonymous") return new Client({ apiEndpoint: endpoint ?? PUBLIC_ENDPOINT, projectId: "none" });
  const custom = endpoint === undefined ? {} : { apiEndpoint: endpoint, useAuthWithCustomEndpoint: true };
  if (credentials === "environment") return new Client(custom);
  const key = JSON.parse(credentials.key) as { readonly [field in "type" | "project_id" | "client_email" | "private_key"]?: string };
  const { type = "service_account", project_id: projectId, client_email, private_key } = key;
  // Keys of other kinds, and other fields of this one, say whom this program is to ask for a token.
  if (type !== "service_account") throw new ApiError("BadRequest", `the credentials for ${name} are of type ${type}: only service_account is known`);
  const own = { type, ...(client_email === undefined ? {} : { client_email }), ...(private_key === undefined ? {} : { private_key }) };
  return new Client({ ...custom, credentials: own, ...(projectId === undefined ? {} : { projectId }) });
}

/** Google's client connects and follows redirects by itself, so an endpoint that is not Google's must be known to whoever runs this program. */
function checkEndpoint(endpoint: string, privateHosts: readonly string[], name: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined) throw new ApiError("BadRequest", `the endpoint ${JSON.stringify(endpoint)} is no URL: write it as https://host`);
  const isGoogle = url.protocol === "https:" && /(?:^|\.)googleapis\.com$/u.test(url.hostname);
  if (isGoogle || isListed(privateHosts, url)) return;
  const fix = `If it may be, add ${JSON.stringify(url.host)} to artifacts.privateHosts in sluice.yaml`;
  throw new ApiError("Forbidden", `${name} is not Google's, and is not asked. ${fix}`);
}

/** Google's name of a bucket, without the scheme. */
function nameOf(bucket: string): string {
  return bucket.slice(bucket.indexOf("://") + "://".length);
}

function isStatus(error: unknown, status: number): boolean {
  return error instanceof Error && "code" in error && error.code === status;
}
