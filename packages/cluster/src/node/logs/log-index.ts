import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@sluice/controller";
import { FILES } from "../runtime/supervisor.ts";

/** How exactly the time of a line is known while its container writes without pause. */
const STEP_MS = 100;
const INDEX = "log.index";

/** Notes when which part of a container's log was written: lines of offset and time. */
export class LogIndex {
  readonly #directory: string;
  readonly #clock: Clock;
  #size: number;
  #pause: NodeJS.Timeout | undefined;
  #isDue = false;
  #isClosed = false;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
    this.#size = sizeOf(join(directory, INDEX)) === 0 ? 0 : sizeOf(join(directory, FILES.log));
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
    appendFileSync(join(this.#directory, INDEX), `${this.#size} ${this.#clock.now()}\n`);
    this.#size = size;
  }
}

/** When the parts of a log were written. */
export class LogTimes {
  readonly #offsets: number[] = [];
  readonly #times: number[] = [];

  constructor(directory: string) {
    let text = "";
    try {
      text = readFileSync(join(directory, INDEX), "utf8");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
    for (const line of text.split("\n").slice(0, -1)) {
      const [offset = "0", time = "0"] = line.split(" ");
      this.#offsets.push(Number(offset));
      this.#times.push(Number(time));
    }
  }

  /** The time of what lies at `offset`; undefined if it was not noted. */
  at(offset: number): number | undefined {
    let low = 0;
    let high = this.#offsets.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#offsets[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return this.#times[low - 1];
  }

  /** Where begins what was written at `time` or later; undefined if nothing was. */
  since(time: number): number | undefined {
    const index = this.#times.findIndex((one) => one >= time);
    return index < 0 ? undefined : this.#offsets[index];
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
