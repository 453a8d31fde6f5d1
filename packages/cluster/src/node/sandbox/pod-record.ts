import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { SandboxPod } from "./sandbox.ts";

/** What is remembered of a pod's sandbox, so that a later process finds it again. */
export interface PodRecord {
  readonly pod: SandboxPod;
  /** Absent where the pod uses this machine's network. */
  readonly address?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** The directory of each pod's sandbox, below one directory. */
export class PodRecords {
  readonly #directory: string;
  readonly #records = new Map<string, PodRecord>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    for (const uid of readdirSync(directory)) {
      const file = join(directory, uid, "pod.json");
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
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    writeFileSync(join(directory, "pod.json.new"), JSON.stringify(record));
    renameSync(join(directory, "pod.json.new"), join(directory, "pod.json"));
    this.#records.set(record.pod.uid, record);
  }

  /** Forgets the pod and deletes its directory. */
  async remove(uid: string): Promise<void> {
    this.#records.delete(uid);
    await rm(this.directoryOf(uid), { recursive: true, force: true });
  }
}
