/** Lets at most `limit` pieces of work go on at once; those that wait go on in their order. */
export class Limiter {
  #waiting: (() => void)[] = [];
  /** How many of them have gone on: taking the first out of a long list would move all others. */
  #gone = 0;
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<R>(work: () => Promise<R>): Promise<R> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  #release(): void {
    const next = this.#waiting[this.#gone++];
    // Half of the list at a time, so that each move is paid for by as many that went.
    if (this.#gone * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#gone);
      this.#gone = 0;
    }
    if (next === undefined) this.#free++;
    else next();
  }
}
