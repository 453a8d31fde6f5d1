import { Fifo } from "@sluice/controller";

/** Lets at most `limit` pieces of work go on at once; those that wait go on in their order. */
export class Limiter {
  readonly #waiting = new Fifo<() => void>();
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
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
