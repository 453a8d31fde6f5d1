import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { bootId } from "./process-identity.ts";

/** An attempt that was about to start, and in which boot of the machine. */
export interface JournalEntry {
  readonly pod: string;
  readonly container: string;
  readonly index: number;
  readonly boot: string;
}

/**
 * Which attempts were about to start, on disk before they do: even a power failure cannot make a container start twice.
 * Entries of one turn share one flush.
 */
export class StartJournal implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #entries: Map<string, JournalEntry[]>;
  readonly #boot: string;
  #pending: string[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, entries: Map<string, JournalEntry[]>, boot: string) {
    this.#file = file;
    this.#entries = entries;
    this.#boot = boot;
  }

  /** The attempts of a pod that an earlier run of this program meant to start. */
  entriesOf(pod: string): readonly JournalEntry[] {
    return this.#entries.get(pod) ?? [];
  }

  /** Resolves once the intent is on disk. */
  record(pod: string, container: string, index: number): Promise<void> {
    const entry: JournalEntry = { pod, container, index, boot: this.#boot };
    this.#pending.push(`${JSON.stringify(entry)}\n`);
    this.#next ??= this.#last = this.#write(this.#last);
    return this.#next;
  }

  async #write(before: Promise<void>): Promise<void> {
    await new Promise(setImmediate);
    const lines = this.#pending.join("");
    this.#pending = [];
    this.#next = undefined;
    await before.catch(() => undefined); // Whoever waits for it has heard.
    await this.#file.appendFile(lines);
    await this.#file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => undefined); // As above.
    await this.#file.close();
  }
}

/** Opens the journal at `path` and forgets all pods but `pods`. */
export async function openStartJournal(path: string, pods: ReadonlySet<string>): Promise<StartJournal> {
  mkdirSync(dirname(path), { recursive: true });
  const entries = readEntries(path).filter(({ pod }) => pods.has(pod));
  writeFileSync(`${path}.new`, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), { flush: true });
  renameSync(`${path}.new`, path);
  const directory = await open(dirname(path));
  await directory.sync();
  await directory.close();
  const file = await open(path, "a");
  const byPod = Map.groupBy(entries, ({ pod }) => pod);
  return new StartJournal(file, byPod, bootId());
}

function readEntries(path: string): JournalEntry[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
  // A last line without an end was never flushed, so that nothing was started for it.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as JournalEntry);
}
