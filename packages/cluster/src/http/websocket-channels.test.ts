import { EventEmitter, once } from "node:events";
import type { WebSocket } from "ws";
import { expect, test } from "vitest";
import { WebSocketChannels } from "./websocket-channels.ts";

test("a reader that is slow holds up the client, until it reads on or is gone", async () => {
  let isPaused = false;
  const socket = Object.assign(new EventEmitter(), { pause: () => void (isPaused = true), resume: () => void (isPaused = false) });
  const channels = new WebSocketChannels(socket as unknown as WebSocket, { isBase64: false, canClose: true });
  const receive = (size: number): void => void socket.emit("message", Buffer.alloc(size), true);
  const reader = channels.readable(0);
  receive(10);
  expect(isPaused).toBe(false);
  receive(1024 * 1024);
  expect(isPaused).toBe(true);
  const resumed = once(reader, "drain");
  reader.on("data", () => {});
  await resumed;
  expect(isPaused).toBe(false);
  reader.pause();
  receive(1024 * 1024);
  expect(isPaused).toBe(true);
  reader.destroy();
  await once(reader, "close");
  expect(isPaused).toBe(false);
  receive(1024 * 1024);
  expect(isPaused).toBe(false);
});

test("an end is one that the client has sent", async () => {
  const socket = Object.assign(new EventEmitter(), { pause: () => {}, resume: () => {} });
  const channels = new WebSocketChannels(socket as unknown as WebSocket, { isBase64: false, canClose: true });
  const [ended, cut] = [channels.readable(0), channels.readable(4)];
  const events: string[] = [];
  for (const [name, stream] of Object.entries({ ended, cut })) {
    stream.on("data", () => {}).on("end", () => events.push(`end of ${name}`));
  }
  socket.emit("message", Buffer.of(255, 0), true);
  await once(ended, "end");
  const closed = once(cut, "close");
  socket.emit("close");
  await closed;
  expect(events).toEqual(["end of ended"]);
});
