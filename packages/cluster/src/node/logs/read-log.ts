import { watch } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { FILES } from "../runtime/supervisor.ts";
import { lineStart } from "./line-start.ts";
import { LogTimes } from "./log-index.ts";
import { logStart } from "./log-start.ts";

/** Which part of a log to read, and how. */
export interface ReadLogOptions {
  readonly tailLines?: number | undefined;
  /** In bytes, from the start of the log. */
  readonly offset?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly timestamps?: boolean | undefined;
  readonly limitBytes?: number | undefined;
  /** Goes on until this resolves: the container's end. */
  readonly followUntil?: Promise<unknown> | undefined;
  /** The time of lines whose own was not noted. */
  readonly startedAt: number;
  readonly signal?: AbortSignal | undefined;
}

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/** Streams the log of the attempt in `directory`. */
export async function* readLog(directory: string, options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  let file: FileHandle;
  try {
    file = await open(join(directory, FILES.log));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return;
    throw error;
  }
  try {
    const start = await startOf(file, directory, options);
    const raw = chunks(file, directory, start, options);
    const lines = options.timestamps === true ? stamped(raw, directory, options.startedAt) : bytesOf(raw);
    yield* limited(lines, options.limitBytes);
  } finally {
    await file.close();
  }
}

interface Chunk {
  readonly offset: number;
  readonly bytes: Buffer;
}

async function* bytesOf(raw: AsyncIterable<Chunk>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of raw) yield bytes;
}

async function startOf(file: FileHandle, directory: string, { tailLines, offset = 0, since, startedAt }: ReadLogOptions): Promise<number> {
  const { size } = await file.stat();
  const begin = logStart(directory);
  let start = Math.max(offset, begin);
  if (since !== undefined && since > startedAt) {
    const from = new LogTimes(directory).since(since);
    start = from === undefined ? size : from <= begin ? begin : await lineStart(file, from, size);
  }
  return tailLines === undefined ? start : Math.max(start, await tailStart(file, { begin, size }, tailLines));
}

/** Where the last `count` lines begin; what follows the last line end is a line, too. */
async function tailStart(file: FileHandle, { begin, size }: { readonly begin: number; readonly size: number }, count: number): Promise<number> {
  if (count === 0) return size;
  const buffer = Buffer.allocUnsafe(CHUNK);
  let missing = count;
  for (let end = size; end > begin;) {
    const from = Math.max(begin, end - CHUNK);
    const { bytesRead } = await file.read(buffer, 0, end - from, from);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] !== NEWLINE || from + i === size - 1) continue;
      if (--missing === 0) return from + i + 1;
    }
    end = from;
  }
  return begin;
}

async function* chunks(file: FileHandle, directory: string, start: number, options: ReadLogOptions): AsyncGenerator<Chunk> {
  const { followUntil, signal } = options;
  let offset = start;
  let hasEnded = followUntil === undefined;
  let wake = (): void => undefined;
  let hasChanged = false;
  const changed = (): void => {
    hasChanged = true;
    wake();
  };
  const watcher = hasEnded ? undefined : watch(join(directory, FILES.log), { persistent: false }, changed);
  watcher?.on("error", changed);
  const end = (): void => {
    hasEnded = true;
    changed();
  };
  void followUntil?.then(end, end);
  signal?.addEventListener("abort", end, { once: true });
  try {
    for (;;) {
      const isLast = hasEnded;
      hasChanged = false;
      for (;;) {
        if (signal?.aborted === true) return;
        const buffer = Buffer.allocUnsafe(CHUNK);
        const { bytesRead } = await file.read(buffer, 0, CHUNK, offset);
        if (bytesRead === 0) break;
        // What a slow reader comes too late for is gone.
        const begin = Math.min(Math.max(offset, logStart(directory)), offset + bytesRead);
        if (begin < offset + bytesRead) yield { offset: begin, bytes: buffer.subarray(begin - offset, bytesRead) };
        offset = Math.max(offset + bytesRead, logStart(directory));
      }
      if (isLast) return;
      if (!hasChanged) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    watcher?.close();
    signal?.removeEventListener("abort", end);
  }
}

/** Every line after its time. */
async function* stamped(raw: AsyncIterable<Chunk>, directory: string, startedAt: number): AsyncGenerator<Uint8Array> {
  let isAtStart = true;
  for await (const { offset, bytes } of raw) {
    const times = new LogTimes(directory);
    const parts: Buffer[] = [];
    for (let from = 0; from < bytes.length;) {
      const found = bytes.indexOf(NEWLINE, from);
      const to = found < 0 ? bytes.length : found + 1;
      if (isAtStart) parts.push(Buffer.from(`${new Date(times.at(offset + from) ?? startedAt).toISOString().replace("Z", "000000Z")} `));
      parts.push(bytes.subarray(from, to));
      isAtStart = found >= 0;
      from = to;
    }
    yield Buffer.concat(parts);
  }
}

async function* limited(bytes: AsyncIterable<Uint8Array>, limit = Infinity): AsyncGenerator<Uint8Array> {
  let left = limit;
  if (left <= 0) return;
  for await (const chunk of bytes) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= chunk.length;
    if (left <= 0) return;
  }
}

/** The end of an attempt's log: at most that many lines and bytes. */
export async function logTail(directory: string, limits: { readonly lines: number; readonly bytes: number }): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const chunk of readLog(directory, { tailLines: limits.lines, startedAt: 0 })) parts.push(chunk);
  const all = Buffer.concat(parts);
  return all.subarray(Math.max(0, all.length - limits.bytes)).toString("utf8");
}
