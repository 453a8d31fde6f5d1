import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { isPlainFile, isUntouched } from "./container-home.ts";
import type { SandboxPod } from "./sandbox.ts";
import { writeInPlace } from "./write-in-place.ts";

/** What is remembered of a pod's sandbox, so that a later process finds it again. */
export interface PodRecord {
  readonly pod: SandboxPod;
  /** Absent where the pod uses this machine's network. */
  readonly address?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

const RECORD = "pod.json";
/** How many directories that pods have left clean wait for other pods. */
const SPARES = 128;

/**
 * The directory of each pod's sandbox, below one directory. One that its pod has left as it was goes to another pod: file
 * systems take long to make what they have just deleted.
 */
export class PodRecords {
  readonly #directory: string;
  readonly #spareDirectory: string;
  readonly #records = new Map<string, PodRecord>();
  readonly #spares: string[] = [];
  #serial = 0;

  constructor(directory: string) {
    this.#directory = directory;
    this.#spareDirectory = `${directory}.spare`;
    rmSync(this.#spareDirectory, { recursive: true, force: true });
    for (const path of [directory, this.#spareDirectory]) mkdirSync(path, { recursive: true, mode: 0o711 });
    for (const uid of readdirSync(directory)) {
      const file = join(directory, uid, RECORD);
      if (existsSync(file)) this.#records.set(uid, JSON.parse(readFileSync(file, "utf8")) as PodRecord);
      // A crash came between the directory and its record: nothing has run in it.
      else rmSync(join(directory, uid), { recursive: true, force: true });
    }
  }

  get(uid: string): PodRecord | undefined {
    return this.#records.get(uid);
  }

  /** All records, oldest first. */
  all(): readonly PodRecord[] {
    return [...this.#records.values()].sort((a, b) => a.createdAt - b.createdAt);
  }

  directoryOf(uid: string): string {
    return join(this.#directory, uid);
  }

  /** Keeps the record; it is on disk before anything is made in its name. */
  put(record: PodRecord): void {
    const directory = this.directoryOf(record.pod.uid);
    const isKnown = this.#records.has(record.pod.uid);
    const made = isKnown ? directory : (this.#spares.pop() ?? this.#make());
    const file = isKnown ? `${RECORD}.new` : RECORD;
    writeInPlace(join(made, file), JSON.stringify(record));
    if (isKnown) renameSync(join(directory, file), join(directory, RECORD));
    else renameSync(made, directory);
    this.#records.set(record.pod.uid, record);
  }

  /** Forgets the pod, and deletes what it has left. */
  async remove(uid: string): Promise<void> {
    this.#records.delete(uid);
    const directory = this.directoryOf(uid);
    if (!existsSync(directory)) return;
    if (this.#spares.length < SPARES && isClean(directory)) {
      const spare = this.#nextSpare();
      renameSync(directory, spare);
      this.#spares.push(spare);
    } else await rm(directory, { recursive: true, force: true });
  }

  #make(): string {
    const path = this.#nextSpare();
    mkdirSync(path, { mode: 0o711 });
    return path;
  }

  #nextSpare(): string {
    return join(this.#spareDirectory, String(++this.#serial));
  }
}

/** Whether there is nothing in a pod's directory but our own files and containers' empty directories. */
function isClean(directory: string): boolean {
  return readdirSync(directory, { withFileTypes: true }).every((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? isUntouched(path) : isPlainFile(path);
  });
}
