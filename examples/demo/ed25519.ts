// Verifying signatures off chain, as strictly as the chain does: what is accepted here can be settled there.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Base58, Ed25519, type SignedVoucher, Voucher } from "@mppsol/core";

/** One voucher key. Parsing a key costs more than verifying with it, so a seller keeps one of these a channel. */
export class VoucherKey {
  readonly address: string;
  readonly #bytes: Uint8Array;
  readonly #key: KeyObject;

  /** @throws {Error} for a key whose vouchers the chain would refuse. */
  constructor(address: string) {
    this.address = address;
    this.#bytes = Base58.decode(address, 32, "authorizedSigner");
    if (!Ed25519.isPublicKey(this.#bytes)) throw new Error("the voucher key is off the curve or has small order");
    const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(this.#bytes).toString("base64url") };
    this.#key = createPublicKey({ key: jwk, format: "jwk" });
  }

  /** Whether this key signed these 50 bytes, and the chain will agree. */
  signed({ voucher, signer, signature }: SignedVoucher.SignedVoucher): boolean {
    if (signer !== this.address) return false;
    const bytes = Base58.decode(signature, 64, "signature");
    return Ed25519.screen(bytes, this.#bytes) && verify(null, Voucher.encode(voucher), this.#key, bytes);
  }
}
