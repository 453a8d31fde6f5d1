import { ApiError } from "./errors.ts";

/** A field's value as the wire carries it: a number, or bytes whose meaning the field's type knows. */
export type WireValue = bigint | Uint8Array;

/** Reads protobuf's wire format; whatever is cut short or malformed throws BadRequest. */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** All fields in order, with their numbers. Fixed-width values come as their little-endian bytes. */
  *fields(): Generator<[number, WireValue]> {
    while (this.#position < this.#bytes.length) {
      const tag = this.#varint();
      const number = Number(tag >> 3n);
      if (number < 1 || number > 0x1fffffff) throw malformed(`${number} is no field number`);
      switch (Number(tag & 7n)) {
        case 0:
          yield [number, this.#varint()];
          break;
        case 1:
          yield [number, this.#take(8)];
          break;
        case 2:
          yield [number, this.#take(Number(this.#varint()))];
          break;
        case 5:
          yield [number, this.#take(4)];
          break;
        default:
          throw malformed(`field ${number} has an unknown wire type`);
      }
    }
  }

  /** All that is left, as packed numbers. */
  varints(): bigint[] {
    const result: bigint[] = [];
    while (this.#position < this.#bytes.length) result.push(this.#varint());
    return result;
  }

  #varint(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#position++];
      if (byte === undefined) throw malformed("it ends within a number");
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw malformed("a number is too long");
  }

  #take(length: number): Uint8Array {
    const end = this.#position + length;
    if (end > this.#bytes.length) throw malformed("it ends within a field");
    const taken = this.#bytes.subarray(this.#position, end);
    this.#position = end;
    return taken;
  }
}

function malformed(why: string): ApiError {
  return new ApiError("BadRequest", `the body is not valid Kubernetes protobuf: ${why}`);
}
