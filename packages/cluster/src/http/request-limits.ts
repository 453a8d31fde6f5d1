import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ApiError } from "@sluice/kubernetes";

/** How much is served at once. Who comes beyond it is told to come again: 429. */
export interface Limits {
  /** Requests that are being read and answered, and of those the ones on one connection. */
  readonly requests: number;
  readonly requestsOfConnection: number;
  /** Watches, logs and connections, which last as long as their clients like. */
  readonly streams: number;
  /** The bodies of all requests that are being read and answered, in bytes. */
  readonly bodyBytes: number;
  /** How long a request may stand still, in milliseconds; streams may as long as they like. */
  readonly idleMs: number;
}

/** What one machine serves with ease; upstream's servers take as many requests at once, and as long for one. */
export const LIMITS: Limits = { requests: 1000, requestsOfConnection: 100, streams: 10_000, bodyBytes: 256 * 1024 * 1024, idleMs: 60_000 };

/** A request that has been let in. */
export interface AdmittedRequest {
  /** Makes it a stream; throws TooManyRequests. */
  becomeStream(): void;
  /** Makes room for some more of its body; throws TooManyRequests. */
  takeBody(bytes: number): void;
}

/** Counts what is being served, so that no number of clients, however slow, can take all memory. */
export class RequestLimits {
  readonly #limits: Limits;
  readonly #ofConnection = new WeakMap<Socket, number>();
  #requests = 0;
  #streams = 0;
  #bodyBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Lets a request in until its answer has ended; throws TooManyRequests. */
  admit({ socket }: IncomingMessage, res: ServerResponse): AdmittedRequest {
    const before = this.#ofConnection.get(socket) ?? 0;
    if (this.#requests >= this.#limits.requests || before >= this.#limits.requestsOfConnection) throw tooMany("requests");
    this.#requests++;
    this.#ofConnection.set(socket, before + 1);
    let isStream = false;
    let bodyBytes = 0;
    res.setTimeout(this.#limits.idleMs);
    res.once("close", () => {
      this.#ofConnection.set(socket, (this.#ofConnection.get(socket) ?? 1) - 1);
      this.#bodyBytes -= bodyBytes;
      if (!isStream) this.#requests--;
    });
    return {
      becomeStream: () => {
        this.openStream(res);
        isStream = true;
        this.#requests--;
        res.setTimeout(0);
      },
      takeBody: (bytes) => {
        if (this.#bodyBytes + bytes > this.#limits.bodyBytes) throw tooMany("large requests");
        bodyBytes += bytes;
        this.#bodyBytes += bytes;
      },
    };
  }

  /** Lets a stream in until its connection closes; throws TooManyRequests. */
  openStream(connection: ServerResponse | Duplex): void {
    if (this.#streams >= this.#limits.streams) throw tooMany("streams");
    this.#streams++;
    connection.once("close", () => this.#streams--);
  }
}

function tooMany(what: string): ApiError {
  return new ApiError("TooManyRequests", `the server serves as many ${what} as it can; please try again later`, {
    details: { retryAfterSeconds: 1 },
  });
}
