/** Who waits for work. */
export interface Waiter {
  progress(line: string): void;
  readonly signal: AbortSignal;
}

/** What work knows of those who wait for it. */
export interface Share {
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
  /** Tells all who wait. */
  tell(line: string): void;
}

interface Work<T> {
  readonly done: Promise<T>;
  readonly waiters: Set<Waiter>;
  readonly controller: AbortController;
}

/** Work that is done once for all who ask for it while it is under way. */
export class SharedWork<T> {
  readonly #works = new Map<string, Work<T>>();

  /** Waits for the work called `key`, which `start` does if nobody has begun it. A waiter whose signal aborts hears of it at once. */
  async join(key: string, waiter: Waiter, start: (share: Share) => Promise<T>): Promise<T> {
    waiter.signal.throwIfAborted();
    const present = this.#works.get(key);
    const isUsable = present?.controller.signal.aborted === false;
    const { waiters, controller, done } = isUsable ? present : this.#begin(key, waiter, { start, after: present?.done });
    waiters.add(waiter);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      waiters.delete(waiter);
      // Whoever comes now begins anew, once what has been called off has ended.
      if (waiters.size === 0) controller.abort();
      reject(waiter.signal.reason);
    };
    waiter.signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([done, left]);
    } finally {
      waiter.signal.removeEventListener("abort", leave);
    }
  }

  #begin(
    key: string,
    waiter: Waiter,
    { start, after }: { readonly start: (share: Share) => Promise<T>; readonly after: Promise<unknown> | undefined },
  ): Work<T> {
    const controller = new AbortController();
    // The one who begins it hears the first line, too.
    const waiters = new Set([waiter]);
    const tell = (line: string): void => {
      for (const one of waiters) one.progress(line);
    };
    const done = this.#run(() => start({ signal: controller.signal, tell }), after).finally(() => {
      if (this.#works.get(key)?.controller === controller) this.#works.delete(key);
    });
    const work = { done, waiters, controller };
    this.#works.set(key, work);
    return work;
  }

  async #run(start: () => Promise<T>, after: Promise<unknown> | undefined): Promise<T> {
    if (after !== undefined) await Promise.allSettled([after]);
    return start();
  }
}
