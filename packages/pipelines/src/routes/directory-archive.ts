import { once } from "node:events";
import { ApiError } from "@sluice/kubernetes";
import type { ObjectInfo, ObjectStore } from "@sluice/object-store";
import { Zip, ZipPassThrough } from "fflate";
import { pack } from "tar-stream";

/** A file of a directory artifact: where it lies within, and where its bytes are. */
export interface DirectoryFile extends ObjectInfo {
  readonly path: string;
}

/** What zip without its later extension can hold. */
const MAX_ZIP_BYTES = 2 ** 32 - 1;
const MAX_ZIP_FILES = 65_535;

/** The files of a directory artifact. */
export async function* filesOf(objects: ObjectStore, uri: string): AsyncGenerator<DirectoryFile> {
  const base = `${uri.replace(/\/+$/u, "")}/`;
  for await (const file of objects.list(uri)) yield { ...file, path: file.uri.slice(base.length) };
}

/** A directory artifact as one tar archive, made as it is read. */
export async function* tarOf(objects: ObjectStore, uri: string): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const fill = async (): Promise<void> => {
    for await (const { path, size, uri: from } of filesOf(objects, uri)) {
      const entry = archive.entry({ name: path, size });
      const written = ended(entry);
      for await (const chunk of objects.get(from)) if (!entry.write(chunk)) await Promise.race([once(entry, "drain"), written]);
      entry.end(undefined);
      await written;
    }
    archive.finalize();
  };
  const filled = fill();
  filled.catch((error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))));
  try {
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    archive.destroy(new Error("nobody reads on"));
  }
}

function ended(entry: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve, reject) => entry.once("finish", resolve).once("error", reject).once("close", resolve));
}

/** A directory artifact as one zip archive, made as it is read and not compressed. */
export async function zipOf(objects: ObjectStore, uri: string): Promise<AsyncGenerator<Uint8Array>> {
  let [bytes, count] = [0, 0];
  for await (const { size } of filesOf(objects, uri)) {
    bytes += size;
    count++;
  }
  if (bytes > MAX_ZIP_BYTES || count > MAX_ZIP_FILES) {
    throw new ApiError("BadRequest", `format: ${count} files of ${bytes} bytes are too much for a zip archive: ask for format=tar`);
  }
  return zipChunks(objects, uri);
}

async function* zipChunks(objects: ObjectStore, uri: string): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  let failure: Error | null = null;
  const archive = new Zip((error, chunk) => {
    failure = error;
    ready.push(chunk);
  });
  const taken = (): Uint8Array[] => {
    if (failure !== null) throw failure;
    return ready.splice(0);
  };
  for await (const { path, uri: from } of filesOf(objects, uri)) {
    const entry = new ZipPassThrough(path);
    archive.add(entry);
    for await (const chunk of objects.get(from)) {
      entry.push(chunk);
      yield* taken();
    }
    entry.push(new Uint8Array(), true);
    yield* taken();
  }
  archive.end();
  yield* taken();
}
