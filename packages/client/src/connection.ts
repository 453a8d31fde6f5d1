import type { Duplex, Readable, Writable } from "node:stream";

/** The size of a terminal, in characters. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** What connects a client with a command; streams that the client has not asked for are absent. */
export interface CommandStreams {
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  /** The size of the client's terminal, and each new one. */
  readonly sizes?: AsyncIterable<TerminalSize> | undefined;
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal;
}

/** Runs a command over streams to its exit code; what it wrote has then been handed to them, and they have been ended. Failures throw `ApiError`. */
export type RemoteCommand = (streams: CommandStreams) => Promise<number>;

/** What a request that asks to be connected is connected with. Nothing has been opened or started yet. */
export type Connection =
  | {
      readonly kind: "command";
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly tty: boolean;
      readonly run: RemoteCommand;
    }
  | {
      readonly kind: "ports";
      /** The ports that the request itself names: clients that do not open streams by themselves. */
      readonly ports: readonly number[];
      /** Connects with a port of the pod; rejects with what the client is to be told. */
      readonly dial: (port: number) => Promise<Duplex>;
    }
  | {
      readonly kind: "proxy";
      /** Who is to answer the request. */
      readonly origin: URL;
      /** The path there, as the client has written it; empty if it has written none. */
      readonly path: string;
    };
