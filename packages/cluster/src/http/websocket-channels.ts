import { Duplex, PassThrough, Writable, type Readable } from "node:stream";
import type { WebSocket } from "ws";

/** How channels lie in the messages of a WebSocket. */
export interface ChannelFraming {
  /** Messages are text: the channel's digit, and base64. */
  readonly isBase64: boolean;
  /** A message on channel 255 says which channel has ended. */
  readonly canClose: boolean;
}

/** Clients send this channel's number, and that of the channel that they close. */
const CLOSE = 255;
const ZERO = 0x30;

/** Numbered streams of bytes over one WebSocket; a reader that is slow stops the client, and a slow client the writers. */
export class WebSocketChannels {
  readonly #socket: WebSocket;
  readonly #framing: ChannelFraming;
  readonly #inbound = new Map<number, PassThrough>();

  constructor(socket: WebSocket, framing: ChannelFraming) {
    this.#socket = socket;
    this.#framing = framing;
    socket.on("message", (data: Buffer, isBinary) => this.#receive(data, isBinary));
    socket.once("close", () => {
      // An end would pass for one that the client has sent.
      for (const stream of this.#inbound.values()) stream.destroy();
    });
  }

  /** What the client sends on a channel. */
  readable(channel: number): Readable {
    const stream = new PassThrough();
    this.#inbound.set(channel, stream);
    stream.on("error", ignore);
    stream.on("drain", () => this.#socket.resume());
    stream.once("close", () => {
      this.#inbound.delete(channel);
      this.#socket.resume();
    });
    return stream;
  }

  /** Sends on a channel. Its end is not told: the client knows it by the end of all. */
  writable(channel: number): Writable {
    const stream = new Writable({ write: (chunk: Buffer, _encoding, done) => this.send(channel, chunk, done) });
    stream.on("error", ignore);
    return stream;
  }

  /** Both directions of a channel. */
  duplex(channel: number): Duplex {
    return Duplex.from({ readable: this.readable(channel), writable: this.writable(channel) }).on("error", ignore);
  }

  /** Sends one message; `done` is called once the client takes more. */
  send(channel: number, bytes: Uint8Array, done: (error?: Error | null) => void = () => {}): void {
    if (this.#framing.isBase64) this.#socket.send(`${channel}${Buffer.from(bytes).toString("base64")}`, done);
    else this.#socket.send(Buffer.concat([Buffer.of(channel), bytes]), { binary: true }, done);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const [first] = data;
    if (first === undefined) return;
    const isText = this.#framing.isBase64 && !isBinary;
    const channel = isText ? first - ZERO : first;
    const bytes = isText ? Buffer.from(data.toString("latin1", 1), "base64") : data.subarray(1);
    if (channel === CLOSE && this.#framing.canClose) {
      const [closed] = bytes;
      if (closed !== undefined) this.#inbound.get(closed)?.end();
      return;
    }
    const stream = this.#inbound.get(channel);
    if (stream === undefined || stream.writableEnded || stream.write(bytes)) return;
    this.#socket.pause();
  }
}

/** The client is gone: its connection has told everybody who uses it. */
function ignore(): void {}
