// Reads little-endian fields from instruction and account data; throws past the end.
import { base58 } from "../chain/base58.js";

/** A cursor over bytes. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Buffer {
    if (length > this.remaining) throw new RangeError("past the end");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }
  u16(): number {
    return this.take(2).readUInt16LE();
  }
  u32(): number {
    return this.take(4).readUInt32LE();
  }
  u64(): bigint {
    return this.take(8).readBigUInt64LE();
  }
  i64(): bigint {
    return this.take(8).readBigInt64LE();
  }
  address(): string {
    return base58(this.take(32));
  }
  /** A string with an eight-byte length, as bincode writes it. */
  string(): string {
    return this.take(Number(this.u64())).toString("utf8");
  }
  /** An address behind a one-byte flag, as token instructions pack it. */
  optionalAddress(): string | undefined {
    return this.u8() === 0 ? undefined : this.address();
  }
  /** An address behind a four-byte flag that takes its room either way, as token accounts hold it. */
  paddedAddress(): string | undefined {
    const flag = this.u32();
    const address = this.address();
    return flag === 0 ? undefined : address;
  }
}
