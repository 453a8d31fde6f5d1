import { readFileSync, writeFileSync } from "node:fs";

/** Width and height of an image. */
export const SIDE = 28;
/** The pixels of an image. */
export const PIXELS: number = SIDE * SIDE;
/** How many different digits there are. */
export const CLASSES = 10;

/** Labelled images: a byte per pixel, 0 paper to 255 ink, image after image. */
export interface Digits {
  readonly labels: Uint8Array;
  readonly pixels: Uint8Array;
}

/** One image's pixels. */
export function imageOf({ pixels }: Digits, index: number): Uint8Array {
  return pixels.subarray(index * PIXELS, (index + 1) * PIXELS);
}

/** How many images each digit has. */
export function countsOf({ labels }: Digits): number[] {
  const counts = Array.from({ length: CLASSES }, () => 0);
  for (const label of labels) counts[label] = (counts[label] ?? 0) + 1;
  return counts;
}

/** The images at the given places, in that order. */
export function selectDigits(digits: Digits, order: Uint32Array): Digits {
  const pixels = new Uint8Array(order.length * PIXELS);
  order.forEach((from, to) => pixels.set(imageOf(digits, from), to * PIXELS));
  return { pixels, labels: Uint8Array.from(order, (from) => digits.labels[from] ?? 0) };
}

/** Writes images to a file: their number in four bytes, then the labels, then the pixels. */
export function writeDigits(path: string, { labels, pixels }: Digits): void {
  const bytes = new Uint8Array(4 + labels.length + pixels.length);
  new DataView(bytes.buffer).setUint32(0, labels.length);
  bytes.set(labels, 4);
  bytes.set(pixels, 4 + labels.length);
  writeFileSync(path, bytes);
}

/** Reads what `writeDigits` wrote. */
export function readDigits(path: string): Digits {
  const bytes = new Uint8Array(readFileSync(path));
  const count = bytes.length < 4 ? -1 : new DataView(bytes.buffer).getUint32(0);
  if (bytes.length !== 4 + count * (1 + PIXELS))
    throw new Error(`${path} holds no digits: its ${bytes.length} bytes are not what ${count} images take`);
  return { labels: bytes.subarray(4, 4 + count), pixels: bytes.subarray(4 + count) };
}
