import { parseAddress } from "../network/subnet.ts";

/** One answer of a name server; names are without a final dot. */
export type DnsRecord = {
  /** The name that it is about, where that is not the one asked for: what an alias leads to. */
  readonly owner?: string;
} & (
  | { readonly type: "A"; readonly address: string }
  | { readonly type: "CNAME"; readonly target: string }
  | { readonly type: "PTR"; readonly target: string }
  | { readonly type: "SRV"; readonly priority: number; readonly weight: number; readonly port: number; readonly target: string }
);

/** What a resolver asks. */
export interface DnsQuery {
  readonly id: number;
  /** In lower case, without a final dot. */
  readonly name: string;
  /** The number of the record type: 1 for A. */
  readonly type: number;
  readonly recursionDesired: boolean;
  /** The largest answer that the resolver takes by UDP. */
  readonly maxBytes: number;
  /** The question as it came, to be repeated in the answer. */
  readonly question: Uint8Array;
}

/** Response codes. */
export const DNS_CODES = { success: 0, formatError: 1, serverFailure: 2, noSuchName: 3, notImplemented: 4 } as const;
/** Numbers of the record types that are answered here. */
export const DNS_TYPES = { A: 1, CNAME: 5, PTR: 12, SRV: 33, ANY: 255 } as const;

const HEADER_BYTES = 12;
const INTERNET = 1;
const OPT = 41;
const SMALLEST_LIMIT = 512;
/** Seconds that a resolver may remember an answer: pods come and go. */
const TTL = 5;
/** Points to the name in the question. */
const SAME_NAME = Buffer.from([0xc0, HEADER_BYTES]);

/** Reads a standard query with one question; undefined where it is anything else. */
export function decodeQuery(message: Buffer): DnsQuery | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  const isStandardQuery = (flags & 0xf800) === 0;
  if (!isStandardQuery || message.readUInt16BE(4) !== 1) return undefined;
  const name = readName(message, HEADER_BYTES);
  if (name === undefined || message.length < name.end + 4 || message.readUInt16BE(name.end + 2) !== INTERNET) return undefined;
  const end = name.end + 4;
  return {
    id: message.readUInt16BE(0),
    name: name.text.toLowerCase(),
    type: message.readUInt16BE(name.end),
    recursionDesired: (flags & 0x0100) !== 0,
    maxBytes: Math.max(SMALLEST_LIMIT, offeredBytes(message, end)),
    question: message.subarray(HEADER_BYTES, end),
  };
}

/** Writes the answer to a query. One that exceeds `maxBytes` is marked as cut short, so that the resolver asks again by TCP. */
export function encodeResponse(
  query: DnsQuery,
  answer: { readonly code: number; readonly records: readonly DnsRecord[]; readonly maxBytes: number },
): Buffer {
  const bodies = answer.records.map(encodeRecord);
  const whole = HEADER_BYTES + query.question.length + bodies.reduce((sum, body) => sum + body.length, 0);
  const isCut = whole > answer.maxBytes;
  const sent = isCut ? [] : bodies;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  // Response, authoritative, recursion available.
  header.writeUInt16BE(0x8480 | (isCut ? 0x0200 : 0) | (query.recursionDesired ? 0x0100 : 0) | answer.code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(sent.length, 6);
  return Buffer.concat([header, query.question, ...sent]);
}

function encodeRecord(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(DNS_TYPES[record.type], 0);
  fixed.writeUInt16BE(INTERNET, 2);
  fixed.writeUInt32BE(TTL, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([record.owner === undefined ? SAME_NAME : encodeName(record.owner), fixed, data]);
}

function dataOf(record: DnsRecord): Buffer {
  switch (record.type) {
    case "A": {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(parseAddress(record.address) ?? 0);
      return bytes;
    }
    case "CNAME":
    case "PTR":
      return encodeName(record.target);
    case "SRV": {
      const fixed = Buffer.alloc(6);
      fixed.writeUInt16BE(record.priority, 0);
      fixed.writeUInt16BE(record.weight, 2);
      fixed.writeUInt16BE(record.port, 4);
      return Buffer.concat([fixed, encodeName(record.target)]);
    }
  }
}

function encodeName(name: string): Buffer {
  const labels = name.split(".").filter((label) => label !== "");
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]), Buffer.from([0])]);
}

/** A question's name is the first in its message, so that nothing in it can point elsewhere. */
function readName(message: Buffer, start: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63 || at - start > 255) return undefined;
    if (length === 0) return { text: labels.join("."), end: at + 1 };
    if (at + 1 + length > message.length) return undefined;
    labels.push(message.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** How large an answer the resolver offers to take, if it does so in the first additional record. */
function offeredBytes(message: Buffer, at: number): number {
  const hasOnlyAdditional = message.readUInt16BE(6) === 0 && message.readUInt16BE(8) === 0 && message.readUInt16BE(10) > 0;
  const isOption = hasOnlyAdditional && message.length >= at + 5 && message[at] === 0 && message.readUInt16BE(at + 1) === OPT;
  return isOption ? message.readUInt16BE(at + 3) : 0;
}
