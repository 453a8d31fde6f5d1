import { ApiError } from "@sluice/kubernetes";
import { sleep, type Connection } from "./connection.ts";

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5000;

/** What keeps a stream alive. */
export interface KeepReadingOptions {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/**
 * Reads a stream to its end, however often the connection breaks: then `read` is called anew, ever more patiently, and not while the
 * server is away. `read` calls `onRead` when something has come. Rejects only with what the server refuses for good.
 */
export async function keepReading(read: (onRead: () => void) => Promise<void>, { connection, signal }: KeepReadingOptions): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    if (failures > 0) await sleep(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS), signal);
    await connection.untilOnline(signal);
    if (signal.aborted) return;
    try {
      return await read(() => void (failures = 0));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code < 500) throw error;
      connection.check();
    }
  }
}
