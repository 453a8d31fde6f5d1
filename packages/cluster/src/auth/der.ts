/** A value in the Distinguished Encoding Rules of ASN.1 (X.690), which X.509 certificates are written in. */
export type Der = Uint8Array;

/** An ordered list of values. */
export function sequence(...parts: readonly Der[]): Der {
  return tagged(0x30, Buffer.concat(parts));
}

/** A set of values; of one, as names need it, so that nothing is sorted. */
export function setOf(part: Der): Der {
  return tagged(0x31, part);
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  // A first bit that is set would mean a negative number.
  return tagged(0x02, (digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits);
}

/** An object identifier such as `2.5.4.3`. */
export function objectIdentifier(text: string): Der {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return tagged(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Text. */
export function utf8String(text: string): Der {
  return tagged(0x0c, Buffer.from(text));
}

/** A string of whole bytes as a bit string, or of flags when `unusedBits` of its last byte mean nothing. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Der {
  return tagged(0x03, Buffer.concat([Buffer.from([unusedBits]), bytes]));
}

/** Bytes. */
export function octetString(bytes: Uint8Array): Der {
  return tagged(0x04, bytes);
}

/** The boolean true; false is always left out. */
export const TRUE: Der = tagged(0x01, Buffer.from([0xff]));

/** A point in time, of second precision, as X.509 writes it: two digits for the years until 2049, four for later ones. */
export function time(at: number): Der {
  const digits = `${new Date(at).toISOString().replaceAll(/[-:T]|\..*/gu, "")}Z`;
  return Number(digits.slice(0, 4)) < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

/** `content` under the context's tag `number`: wrapped if it is `constructed`, in place of its own tag if not. */
export function contextual(number: number, content: Uint8Array, kind: "constructed" | "primitive"): Der {
  return tagged((kind === "constructed" ? 0xa0 : 0x80) | number, content);
}

/** The PEM form of a value, e.g. with the label `CERTIFICATE`. */
export function toPem(label: string, value: Der): string {
  const lines =
    Buffer.from(value)
      .toString("base64")
      .match(/.{1,64}/gu) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function tagged(tag: number, content: Uint8Array): Der {
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return bytes;
}
