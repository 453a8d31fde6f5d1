/** A frame of SPDY/3.1, as far as streams are made of them; header blocks are still compressed. */
export type Frame =
  | { readonly type: "data"; readonly stream: number; readonly isLast: boolean; readonly bytes: Buffer }
  | { readonly type: "open"; readonly stream: number; readonly isLast: boolean; readonly headers: Buffer }
  | { readonly type: "reply"; readonly stream: number; readonly isLast: boolean; readonly headers: Buffer }
  | { readonly type: "headers"; readonly stream: number; readonly isLast: boolean; readonly headers: Buffer }
  | { readonly type: "reset"; readonly stream: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goAway"; readonly lastStream: number; readonly status: number }
  /** Settings and window updates: what is sent here is bounded by the connection itself. */
  | { readonly type: "other" };

const VERSION = 3;
const HEADER_BYTES = 8;
const FIN = 1;
const ID_MASK = 0x7fff_ffff;
const TYPES = { open: 1, reply: 2, reset: 3, ping: 6, goAway: 7, headers: 8 } as const;
/** Far more than clients send in one frame. */
const MAX_FRAME_BYTES = 1024 * 1024;

/** Takes frames out of bytes as they come. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** The frames that are complete with these bytes. Throws where they are no SPDY. */
  push(bytes: Uint8Array): Frame[] {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    while (this.#rest.length >= HEADER_BYTES) {
      const length = this.#rest.readUIntBE(5, 3);
      if (length > MAX_FRAME_BYTES) throw new Error(`a SPDY frame of ${length} bytes is too large`);
      const end = HEADER_BYTES + length;
      if (this.#rest.length < end) break;
      frames.push(decode(this.#rest.subarray(0, end)));
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

function decode(frame: Buffer): Frame {
  const flags = frame.readUInt8(4);
  const isLast = (flags & FIN) !== 0;
  const body = frame.subarray(HEADER_BYTES);
  const first = frame.readUInt32BE(0);
  if (first <= ID_MASK) return { type: "data", stream: first, isLast, bytes: body };
  const version = frame.readUInt16BE(0) & 0x7fff;
  if (version !== VERSION) throw new Error(`SPDY/${version} is not spoken here`);
  switch (frame.readUInt16BE(2)) {
    case TYPES.open:
      return { type: "open", stream: idAt(body, 0), isLast, headers: partOf(body, 10) };
    case TYPES.reply:
      return { type: "reply", stream: idAt(body, 0), isLast, headers: partOf(body, 4) };
    case TYPES.headers:
      return { type: "headers", stream: idAt(body, 0), isLast, headers: partOf(body, 4) };
    case TYPES.reset:
      return { type: "reset", stream: idAt(body, 0), status: wordAt(body, 4) };
    case TYPES.ping:
      return { type: "ping", id: wordAt(body, 0) };
    case TYPES.goAway:
      return { type: "goAway", lastStream: idAt(body, 0), status: wordAt(body, 4) };
    default:
      return { type: "other" };
  }
}

function idAt(body: Buffer, offset: number): number {
  return wordAt(body, offset) & ID_MASK;
}

function wordAt(body: Buffer, offset: number): number {
  if (body.length < offset + 4) throw new Error("a SPDY frame is too short");
  return body.readUInt32BE(offset);
}

function partOf(body: Buffer, offset: number): Buffer {
  if (body.length < offset) throw new Error("a SPDY frame is too short");
  return body.subarray(offset);
}

/** The bytes of a frame. */
export function encodeFrame(frame: Exclude<Frame, { type: "other" }>): Buffer {
  switch (frame.type) {
    case "data":
      return Buffer.concat([header(frame.stream, frame.isLast, frame.bytes.length), frame.bytes]);
    case "open":
      return control(frame.type, frame.isLast, [word(frame.stream), word(0), Buffer.alloc(2), frame.headers]);
    case "reply":
    case "headers":
      return control(frame.type, frame.isLast, [word(frame.stream), frame.headers]);
    case "reset":
      return control(frame.type, false, [word(frame.stream), word(frame.status)]);
    case "ping":
      return control(frame.type, false, [word(frame.id)]);
    case "goAway":
      return control(frame.type, false, [word(frame.lastStream), word(frame.status)]);
  }
}

function control(type: keyof typeof TYPES, isLast: boolean, parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([header((0x8000 | VERSION) * 0x1_0000 + TYPES[type], isLast, body.length), body]);
}

function header(first: number, isLast: boolean, length: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32BE(first, 0);
  bytes.writeUInt8(isLast ? FIN : 0, 4);
  bytes.writeUIntBE(length, 5, 3);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
