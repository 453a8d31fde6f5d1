import type { Duplex } from "node:stream";
import { encodeFrame, FrameReader } from "./frames.ts";
import { HeaderDecoder, HeaderEncoder } from "./header-blocks.ts";

/** One stream as a client sees it. */
export interface ClientStream {
  readonly id: number;
  send(bytes: string | Uint8Array, isLast?: boolean): void;
  reset(): void;
  /** All that came, once the server has ended or reset it. */
  readonly ended: Promise<{ readonly text: string; readonly how: "end" | "reset" }>;
  /** Resolves when the first bytes come. */
  readonly first: Promise<string>;
}

/** The client's side of SPDY, for tests. */
export interface SpdyClient {
  open(headers: Record<string, string>, isLast?: boolean): Promise<ClientStream>;
  ping(id: number): Promise<number>;
}

/** Speaks SPDY over a connection. */
export function spdyClient(connection: Duplex): SpdyClient {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const reader = new FrameReader();
  const pings = new Map<number, (id: number) => void>();
  const streams = new Map<number, { text: string; replied(): void; first(text: string): void; end(how: "end" | "reset"): void }>();
  let last = -1;
  const serve = async (): Promise<void> => {
    for await (const chunk of connection) {
      for (const frame of reader.push(chunk as Buffer)) {
        if (frame.type === "ping") pings.get(frame.id)?.(frame.id);
        if (!("stream" in frame)) continue;
        const stream = streams.get(frame.stream);
        if (frame.type === "reply") {
          await decoder.decode(frame.headers);
          stream?.replied();
        }
        if (frame.type === "reset") stream?.end("reset");
        if (frame.type !== "data" || stream === undefined) continue;
        stream.text += frame.bytes.toString();
        if (frame.bytes.length > 0) stream.first(stream.text);
        if (frame.isLast) stream.end("end");
      }
    }
  };
  serve().catch(() => {}); // The test has closed it.
  return {
    async open(headers, isLast = false) {
      const id = (last += 2);
      const replied = Promise.withResolvers<void>();
      const first = Promise.withResolvers<string>();
      const ended = Promise.withResolvers<{ text: string; how: "end" | "reset" }>();
      const stream = {
        text: "",
        replied: () => replied.resolve(),
        first: (text: string) => first.resolve(text),
        end: (how: "end" | "reset") => ended.resolve({ text: stream.text, how }),
      };
      streams.set(id, stream);
      connection.write(encodeFrame({ type: "open", stream: id, isLast, headers: await encoder.encode(headers) }));
      await replied.promise;
      return {
        id,
        ended: ended.promise,
        first: first.promise,
        send: (bytes, end = false) => void connection.write(encodeFrame({ type: "data", stream: id, isLast: end, bytes: Buffer.from(bytes) })),
        reset: () => void connection.write(encodeFrame({ type: "reset", stream: id, status: 5 })),
      };
    },
    ping: (id) =>
      new Promise((resolve) => {
        pings.set(id, resolve);
        connection.write(encodeFrame({ type: "ping", id }));
      }),
  };
}
