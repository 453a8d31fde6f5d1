/** When a recurring run runs. Times are milliseconds since the epoch; without `every` and `cron` it runs once, at once. */
export interface Trigger {
  /** A cron expression as `parseCron` takes it. */
  readonly cron?: string;
  /** Seconds from one slot to the next. */
  readonly every?: number;
  /** The first slot lies after it. */
  readonly start?: number;
  /** The last slot lies before it, or on it. */
  readonly end?: number;
}
