import { Duplex } from "node:stream";
import { encodeFrame, FrameReader, type Frame } from "./frames.ts";
import { HeaderDecoder, HeaderEncoder, type Headers } from "./header-blocks.ts";

/** Takes a stream that the client has opened. */
export type StreamListener = (stream: Duplex, headers: Headers) => void;

/** `RST_STREAM`'s code for what is no longer wanted. */
const CANCEL = 5;

/**
 * The server's side of SPDY/3.1 over any connection: streams that the client opens, in both directions. A stream that is not
 * read holds up the others, as one connection carries them all.
 */
export class SpdySession {
  readonly #connection: Duplex;
  readonly #listener: StreamListener;
  readonly #streams = new Map<number, SpdyStream>();

  constructor(connection: Duplex, listener: StreamListener) {
    this.#connection = connection;
    // `run` sees it as an end.
    connection.on("error", () => {});
    this.#listener = listener;
  }

  /** Serves until the connection ends; rejects if what comes over it is no SPDY. */
  async run(): Promise<void> {
    const reader = new FrameReader();
    using decoder = new HeaderDecoder();
    using encoder = new HeaderEncoder();
    try {
      for await (const chunk of this.#connection) {
        for (const frame of reader.push(chunk as Buffer)) await this.#receive(frame, decoder, encoder);
      }
    } finally {
      for (const stream of this.#streams.values()) stream.lose();
      this.#connection.destroy();
    }
  }

  /** Ends the connection once all that was written has been sent. */
  close(): void {
    this.#connection.end();
  }

  async #receive(frame: Frame, decoder: HeaderDecoder, encoder: HeaderEncoder): Promise<void> {
    switch (frame.type) {
      case "open": {
        const headers = await decoder.decode(frame.headers);
        this.#send({ type: "reply", stream: frame.stream, isLast: false, headers: await encoder.encode({}) });
        const stream = this.#open(frame.stream);
        if (frame.isLast) stream.receiveEnd();
        return this.#listener(stream, headers);
      }
      case "data": {
        const stream = this.#streams.get(frame.stream);
        if (stream === undefined) return;
        if (frame.bytes.length > 0) await stream.receive(frame.bytes);
        if (frame.isLast) stream.receiveEnd();
        return;
      }
      case "reset":
        this.#streams.get(frame.stream)?.lose();
        return;
      case "ping":
        return this.#send(frame);
      case "reply":
      case "headers":
        await decoder.decode(frame.headers); // The next block builds on it.
        return;
      case "goAway":
      case "other":
        return;
    }
  }

  #open(id: number): SpdyStream {
    this.#streams.get(id)?.lose();
    const stream = new SpdyStream((bytes, isLast, done) => {
      this.#connection.write(encodeFrame({ type: "data", stream: id, isLast, bytes }), done);
    });
    this.#streams.set(id, stream);
    // Whoever uses it learns of its end; nobody else has to.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.#streams.delete(id);
      if (stream.wasCut) this.#send({ type: "reset", stream: id, status: CANCEL });
    });
    return stream;
  }

  #send(frame: Exclude<Frame, { type: "other" }>): void {
    if (this.#connection.writable) this.#connection.write(encodeFrame(frame));
  }
}

type SendData = (bytes: Buffer, isLast: boolean, done: (error?: Error | null) => void) => void;

class SpdyStream extends Duplex {
  readonly #send: SendData;
  #wanted: PromiseWithResolvers<void> | undefined;
  #isLost = false;

  constructor(send: SendData) {
    super({ allowHalfOpen: true });
    this.#send = send;
  }

  /** Closed from here before both sides were done. */
  get wasCut(): boolean {
    return !this.#isLost && !(this.writableFinished && this.readableEnded);
  }

  /** Resolves once more may come. */
  async receive(bytes: Buffer): Promise<void> {
    if (this.destroyed || this.push(bytes)) return;
    this.#wanted = Promise.withResolvers();
    await this.#wanted.promise;
  }

  receiveEnd(): void {
    this.push(null);
  }

  /** The client has given it up, or is gone. */
  lose(): void {
    this.#isLost = true;
    this.destroy();
  }

  override _read(): void {
    this.#wanted?.resolve();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#send(Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wanted?.resolve();
    done(error);
  }
}
