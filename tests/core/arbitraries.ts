// Random values for the property tests.
import { Base58, type Voucher } from "@mppsol/core";
import fc from "fast-check";

export const anyKey: fc.Arbitrary<Uint8Array> = fc.uint8Array({ minLength: 32, maxLength: 32 });
export const anyAddress: fc.Arbitrary<string> = anyKey.map((bytes) => Base58.encode(bytes));
export const anyU64: fc.Arbitrary<bigint> = fc.bigInt(0n, 2n ** 64n - 1n);
export const anyI64: fc.Arbitrary<bigint> = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);

export const anyVoucher: fc.Arbitrary<Voucher.Voucher> = fc.record({
  channelId: anyAddress,
  cumulativeAmount: anyU64,
  expiresAt: anyI64,
});

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** An address of 32 equal bytes. */
export function address(byte: number): string {
  return Base58.encode(new Uint8Array(32).fill(byte));
}
