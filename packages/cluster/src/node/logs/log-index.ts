import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import { FILES } from "../runtime/supervisor.ts";
import { LOG_LIMIT, logStart, trimLog, type LogLimit } from "./log-start.ts";

/** How exactly the time of a line is known while its container writes without pause. */
const STEP_MS = 100;
const INDEX = "log.index";

/** Notes when which part of a container's log was written: lines of where it begins, where it ends, and the time. */
export class LogIndex {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #limit: LogLimit;
  #start: number;
  #size: number;
  #isTrimming = false;
  #pause: NodeJS.Timeout | undefined;
  #isDue = false;
  #isClosed = false;

  constructor(directory: string, clock: Clock, options: { readonly limit?: LogLimit } = {}) {
    this.#directory = directory;
    this.#clock = clock;
    this.#limit = options.limit ?? LOG_LIMIT;
    this.#start = logStart(directory);
    this.#size = readIndex(directory).at(-1)?.end ?? 0;
  }

  /** The log may have grown. */
  note(): void {
    if (this.#isClosed) return;
    if (this.#pause !== undefined) {
      this.#isDue = true;
      return;
    }
    this.#append();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#isDue) this.note();
    }, STEP_MS).unref();
    this.#isDue = false;
  }

  /** The log is complete. */
  close(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#pause);
    this.#append();
    this.#isClosed = true;
  }

  #append(): void {
    const size = sizeOf(join(this.#directory, FILES.log));
    if (size <= this.#size) return;
    appendFileSync(join(this.#directory, INDEX), `${this.#size} ${size} ${this.#clock.now()}\n`);
    this.#size = size;
    if (size - this.#start > this.#limit.most) this.#trim();
  }

  #trim(): void {
    if (this.#isTrimming) return;
    this.#isTrimming = true;
    void trimLog(this.#directory, this.#limit)
      .then((start) => {
        this.#start = start;
        const kept = readIndex(this.#directory).filter(({ end }) => end > start);
        const lines = kept.map((part) => `${part.start} ${part.end} ${part.time}\n`);
        writeFileSync(join(this.#directory, `${INDEX}.new`), lines.join(""));
        renameSync(join(this.#directory, `${INDEX}.new`), join(this.#directory, INDEX));
      })
      // The pod is gone, with its logs; or the disk is full, and the next growth tries again.
      .catch(() => {})
      .finally(() => (this.#isTrimming = false));
  }
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly time: number;
}

function readIndex(directory: string): Part[] {
  let text = "";
  try {
    text = readFileSync(join(directory, INDEX), "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const [start = 0, end = 0, time = 0] = line.split(" ").map(Number);
      return { start, end, time };
    });
}

/** When the parts of a log were written. */
export class LogTimes {
  readonly #parts: readonly Part[];

  constructor(directory: string) {
    this.#parts = readIndex(directory);
  }

  /** The time of what lies at `offset`; undefined if it was not noted. */
  at(offset: number): number | undefined {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#parts[middle]?.start ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#parts[low - 1]?.time;
  }

  /** Where begins what was written at `time` or later; undefined if nothing was. */
  since(time: number): number | undefined {
    return this.#parts.find((part) => part.time >= time)?.start;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
