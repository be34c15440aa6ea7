// Verifying signatures off chain, no looser than the chain does: what is accepted here can be settled there.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Base58, type SignedVoucher, Voucher } from "@mppsol/core";

/** The fixed start of an SPKI document that holds an Ed25519 key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/**
 * Points of small order, without the sign bit. Solana's Ed25519 program refuses them as key and as first half of a
 * signature; node:crypto takes them.
 */
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

/** Whether these 32 bytes encode a point that no honest signer has. */
export function hasSmallOrder(point: Uint8Array): boolean {
  const bytes = Buffer.from(point.subarray(0, 32));
  bytes[31] = (bytes[31] ?? 0) & 0x7f;
  return SMALL_ORDER.has(bytes.toString("hex"));
}

/** One voucher key. Parsing a key costs more than verifying with it, so a seller keeps one of these a channel. */
export class VoucherKey {
  readonly address: string;
  readonly #key: KeyObject;

  /** @throws {Error} for a key whose vouchers the chain would refuse. */
  constructor(address: string) {
    const bytes = Base58.decode(address, 32, "authorizedSigner");
    if (hasSmallOrder(bytes)) throw new Error("the voucher key has small order");
    this.address = address;
    this.#key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: "der", type: "spki" });
  }

  /** Whether this key signed these 50 bytes, and the chain will agree. */
  signed({ voucher, signer, signature }: SignedVoucher.SignedVoucher): boolean {
    if (signer !== this.address) return false;
    const bytes = Base58.decode(signature, 64, "signature");
    return !hasSmallOrder(bytes) && verify(null, Voucher.encode(voucher), this.#key, bytes);
  }
}
