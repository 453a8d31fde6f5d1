import { mkdir, open, readdir, rename, rm, type FileHandle } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { Clock, Logger } from "@sluice/controller";
import type { AuditEvent } from "./audit-log.ts";

/** Where events go, and how much is kept of them. */
export interface AuditFileOptions {
  readonly path: string;
  /** The size at which the file is set aside and a new one begun. */
  readonly maxBytes: number;
  /** How many of those are kept. */
  readonly maxBackups: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long events wait for others, so that many are one write. */
const WAIT_MS = 200;
/** As many are put into words at once: what takes longer would hold up requests. */
const BATCH = 500;
/** More than this many events do not wait: a disk that is this slow must not take the cluster's memory too. */
const MOST_PENDING = 50_000;

/** Events as lines of JSON in a file. Nobody waits for it but who disposes of it. */
export class AuditFile implements AsyncDisposable {
  readonly #options: AuditFileOptions;
  readonly #stop = new AbortController();
  readonly #pending: AuditEvent[] = [];
  #file: FileHandle | undefined;
  #size = 0;
  #dropped = 0;
  #running: Promise<void> | undefined;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  /** Takes an event, to be written soon. */
  write(event: AuditEvent): void {
    if (this.#pending.length >= MOST_PENDING) this.#dropped++;
    else this.#pending.push(event);
    this.#running ??= this.#run();
  }

  /** Writes what is pending, and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#file?.close();
  }

  async #run(): Promise<void> {
    const { clock, logger, path } = this.#options;
    await clock.sleep(WAIT_MS, this.#stop.signal);
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, BATCH);
      try {
        await this.#append(`${batch.map((event) => JSON.stringify(event)).join("\n")}\n`);
      } catch (error) {
        logger.error("audit events could not be written and are lost", { path, events: batch.length, error });
      }
    }
    if (this.#dropped > 0) logger.error("audit events were dropped, because the disk is too slow for them", { path, events: this.#dropped });
    this.#dropped = 0;
    this.#running = undefined;
  }

  async #append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    this.#file ??= await this.#open();
    if (this.#size > 0 && this.#size + bytes.length > this.#options.maxBytes) this.#file = await this.#rotate(this.#file);
    await this.#file.appendFile(bytes);
    this.#size += bytes.length;
  }

  async #open(): Promise<FileHandle> {
    const { path } = this.#options;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, "a", 0o600);
    this.#size = (await file.stat()).size;
    return file;
  }

  /** Sets the file aside under the time's name, as kube-apiserver does, and forgets the oldest of those. */
  async #rotate(file: FileHandle): Promise<FileHandle> {
    const { path, maxBackups, clock } = this.#options;
    await file.close();
    this.#file = undefined;
    const [directory, extension] = [dirname(path), extname(path)];
    const stem = `${basename(path, extension)}-`;
    const time = new Date(clock.now()).toISOString().slice(0, 23).replaceAll(":", "-");
    await rename(path, join(directory, `${stem}${time}${extension}`));
    const backups = (await readdir(directory)).filter((name) => name.startsWith(stem) && name.endsWith(extension)).toSorted();
    for (const name of backups.slice(0, Math.max(0, backups.length - maxBackups))) await rm(join(directory, name), { force: true });
    return this.#open();
  }
}
