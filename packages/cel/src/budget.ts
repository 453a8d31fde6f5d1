import { CelError } from "./errors.ts";

/** What one evaluation may cost, in Kubernetes' units. */
export const CALL_COST_LIMIT = 1_000_000;
/** What all evaluations of one request may cost together. */
export const REQUEST_COST_LIMIT = 10_000_000;

/** What the expressions of one request may still cost. One unit is about one step of the evaluator. */
export class CelBudget {
  readonly limit: number;
  #spent = 0;
  #callEnd: number;
  readonly #callLimit: number;

  constructor(limit: number = REQUEST_COST_LIMIT, options: { readonly callLimit?: number } = {}) {
    this.limit = limit;
    this.#callLimit = options.callLimit ?? CALL_COST_LIMIT;
    this.#callEnd = limit;
  }

  /** What has been spent so far. */
  get spent(): number {
    return this.#spent;
  }

  /** Whether nothing is left, so that no further expression can be evaluated. */
  get isSpent(): boolean {
    return this.#spent >= this.limit;
  }

  /** Begins an evaluation, which may cost no more than the limit of one call. */
  beginCall(): void {
    this.#callEnd = this.#spent + this.#callLimit;
  }

  /** Pays for work that is about to be done; throws a CelError of kind `cost` if it may not be. */
  charge(units: number): void {
    this.#spent += units;
    if (this.#spent <= this.#callEnd && this.#spent <= this.limit) return;
    const isCall = this.#spent > this.#callEnd;
    // What was not done has cost nothing.
    this.#spent = Math.min(this.#callEnd, this.limit);
    if (isCall) throw new CelError("cost", "operation cancelled: actual cost limit exceeded");
    throw new CelError("cost", "validation failed due to running out of cost budget, no further validation rules will be run");
  }
}
