import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** As much of S3 as uploads in one part or in many, downloads, looks, lists and deletions take, over HTTP and in memory; every bucket exists. */
export class S3Server implements AsyncDisposable {
  readonly objects: Map<string, Buffer> = new Map();
  /** The access key that it lets in. */
  accessKey: string;
  requests = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #parts = new Map<string, Map<number, Buffer>>();

  constructor(accessKey: string) {
    this.accessKey = accessKey;
  }

  /** `host:port`, once it listens. */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    this.requests++;
    const url = new URL(request.url ?? "", "http://s3");
    const [, bucket = "", ...rest] = url.pathname.split("/").map(decodeURIComponent);
    const key = rest.join("/");
    const name = `${bucket}/${key}`;
    const body = await buffer(request);
    const xml = (status: number, text: string): unknown => response.writeHead(status, { "content-type": "application/xml" }).end(text);
    const fail = (status: number, code: string): unknown => xml(status, `<Error><Code>${code}</Code><Message>${code} it is</Message></Error>`);
    if (!(request.headers.authorization ?? "").includes(`Credential=${this.accessKey}/`)) return fail(403, "InvalidAccessKeyId");
    const upload = url.searchParams.get("uploadId");
    if (request.method === "POST" && upload === null) {
      const id = `u${this.requests}`;
      this.#parts.set(id, new Map());
      return xml(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (request.method === "POST") {
      const parts = [...(this.#parts.get(upload ?? "") ?? [])].sort(([a], [b]) => a - b);
      this.objects.set(name, Buffer.concat(parts.map(([, part]) => part)));
      return xml(200, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>");
    }
    if (request.method === "PUT") {
      if (upload === null) this.objects.set(name, body);
      else this.#parts.get(upload)?.set(Number(url.searchParams.get("partNumber")), body);
      return response.writeHead(200, { etag: `"e${this.requests}"` }).end();
    }
    if (request.method === "DELETE") {
      this.objects.delete(name);
      return response.writeHead(204).end();
    }
    if (key === "" || url.searchParams.has("list-type")) {
      const prefix = `${bucket}/${url.searchParams.get("prefix") ?? ""}`;
      const found = [...this.objects].filter(([each]) => each.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
      const items = found.map(([each, bytes]) => `<Contents><Key>${each.slice(bucket.length + 1)}</Key><Size>${bytes.length}</Size></Contents>`);
      return xml(200, `<ListBucketResult>${items.join("")}</ListBucketResult>`);
    }
    const bytes = this.objects.get(name);
    if (bytes === undefined) return request.method === "HEAD" ? response.writeHead(404).end() : fail(404, "NoSuchKey");
    const [, start = "", end = ""] = /^bytes=(\d+)-(\d*)$/u.exec(request.headers.range ?? "") ?? [];
    if (start !== "" && Number(start) >= bytes.length) return fail(416, "InvalidRange");
    const part = start === "" ? bytes : bytes.subarray(Number(start), end === "" ? undefined : Number(end) + 1);
    return response
      .writeHead(start === "" ? 200 : 206, { "content-length": part.length, etag: '"e"' })
      .end(request.method === "HEAD" ? undefined : part);
  }
}
