// The SlotHashes sysvar, kept as its account bytes: a count, then the newest (slot, hash) first.
import { SLOT_HASHES } from "../constants.js";
import { base58, fromBase58 } from "./base58.js";

const ENTRY = 40;

/** The last 512 parent slots and their hashes. */
export class SlotHashes {
  readonly bytes = Buffer.alloc(8 + ENTRY * SLOT_HASHES);
  #count = 0;

  /** Adds a slot newer than all others. */
  push(slot: number, hash: string): void {
    this.#count = Math.min(this.#count + 1, SLOT_HASHES);
    this.bytes.copyWithin(8 + ENTRY, 8, 8 + ENTRY * (SLOT_HASHES - 1));
    this.bytes.writeBigUInt64LE(BigInt(this.#count), 0);
    this.bytes.writeBigUInt64LE(BigInt(slot), 8);
    this.bytes.set(fromBase58(hash), 16);
  }

  /** The hash of a remembered slot. */
  find(slot: number): string | undefined {
    for (let at = 8; at < 8 + ENTRY * this.#count; at += ENTRY) {
      if (this.bytes.readBigUInt64LE(at) === BigInt(slot)) return base58(this.bytes.subarray(at + 8, at + ENTRY));
    }
    return undefined;
  }
}
