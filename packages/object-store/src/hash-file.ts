import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { Worker } from "node:worker_threads";

/** From this size on, hashing goes on in a thread of its own, so that nobody else waits for it. */
const OWN_THREAD_BYTES = 16 * 2 ** 20;
const CHUNK_BYTES = 2 ** 20;

/** Text rather than a module, so that it is there however the program is bundled. */
const WORKER = `
const { createHash } = require("node:crypto");
const { openSync, readSync } = require("node:fs");
const { parentPort, workerData: { path, chunkBytes } } = require("node:worker_threads");
const hash = createHash("sha256");
const buffer = Buffer.allocUnsafe(chunkBytes);
const file = openSync(path, "r");
for (let read; (read = readSync(file, buffer)) > 0; ) hash.update(buffer.subarray(0, read));
parentPort.postMessage(hash.digest("hex"));
`;

/** The SHA-256 of a file of that size, in hexadecimal. */
export function hashFile(path: string, size: number): Promise<string> {
  return size < OWN_THREAD_BYTES ? hashHere(path) : hashInThread(path);
}

async function hashHere(path: string): Promise<string> {
  await using file = await open(path);
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
  }
}

function hashInThread(path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const worker = new Worker(WORKER, { eval: true, workerData: { path, chunkBytes: CHUNK_BYTES } });
  worker.once("message", resolve);
  worker.once("error", reject);
  worker.once("exit", () => reject(new Error(`hashing ${path} ended without a result`)));
  return promise;
}
