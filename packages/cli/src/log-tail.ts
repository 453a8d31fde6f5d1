import type { PipelinesClient } from "@sluice/sdk";

/** Keeps the last lines that one task at a time writes. */
export class LogTail implements Disposable {
  readonly #client: PipelinesClient;
  readonly #runId: string;
  readonly #size: number;
  readonly #changed: () => void;
  #reading: AbortController | undefined;
  #taskId: string | undefined;
  #lines: string[] = [];

  constructor(client: PipelinesClient, runId: string, options: { readonly size: number; readonly changed: () => void }) {
    this.#client = client;
    this.#runId = runId;
    this.#size = options.size;
    this.#changed = options.changed;
  }

  /** What there is of the task followed now. */
  get current(): { taskId: string; lines: readonly string[] } | undefined {
    return this.#taskId === undefined ? undefined : { taskId: this.#taskId, lines: this.#lines };
  }

  /** Follows another task, or none. */
  follow(taskId: string | undefined): void {
    if (taskId === this.#taskId) return;
    this.#reading?.abort();
    this.#taskId = taskId;
    this.#lines = [];
    if (taskId === undefined) return;
    this.#reading = new AbortController();
    void this.#read(taskId, this.#reading.signal);
  }

  [Symbol.dispose](): void {
    this.follow(undefined);
  }

  async #read(taskId: string, signal: AbortSignal): Promise<void> {
    let rest = "";
    try {
      for await (const text of this.#client.logs(this.#runId, taskId, { follow: true, signal })) {
        if (signal.aborted) return;
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        this.#lines = [...this.#lines, ...lines].slice(-this.#size);
        this.#changed();
      }
    } catch {
      // The view is of the run; a log that cannot be read yet shows nothing.
    }
  }
}
