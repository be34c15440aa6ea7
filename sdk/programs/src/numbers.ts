// From `bigint` to the BN that Anchor's coder takes, and back, without a JS number in between.
import anchor from "@coral-xyz/anchor";
import { Integer, InvalidFieldError } from "@mppsol/core";

type BN = InstanceType<typeof anchor.BN>;

/** @throws {InvalidFieldError} unless `value` is a bigint of 64 bits without sign. */
export function bn(value: bigint, field: string): BN {
  return new anchor.BN(Integer.u64(value, field).toString());
}

/** @throws {InvalidFieldError} unless `value` is a bigint of 64 bits with sign. */
export function bnSigned(value: bigint, field: string): BN {
  return new anchor.BN(Integer.i64(value, field).toString());
}

export function fromBn(value: BN): bigint {
  return BigInt(value.toString());
}

/** A count of seconds: a number, because it is no money. @throws {InvalidFieldError} unless it fits 32 bits. */
export function u32(value: number, field: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new InvalidFieldError(field, "not an integer of 32 bits");
  }
  return value;
}
