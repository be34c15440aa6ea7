// Vouchers verified as strictly as the chain does, and as fast as node:crypto can: the keys of those who pay are kept ready.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Ed25519, SignedVoucher } from "@mppsol/core";

/** The fixed start of an SPKI document that holds an Ed25519 key (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export class VoucherVerifier {
  readonly #most: number;
  /** By the bytes of the key; the one that was used longest ago is first. */
  readonly #keys = new Map<string, KeyObject>();

  /** @param most keys kept ready; one takes about a kilobyte. */
  constructor(most = 10_000) {
    this.#most = most;
  }

  /**
   * Whether `signer` signed the voucher, by a signature that the chain accepts.
   * @throws {InvalidFieldError} for a voucher, key or signature that cannot be encoded.
   */
  verify(signed: SignedVoucher.SignedVoucher): boolean {
    return SignedVoucher.verify(signed, this.check);
  }

  /** The same of any message: {Ed25519.verify} of core, faster. */
  readonly check: Ed25519.Verifier = (message, signature, publicKey) =>
    Ed25519.screen(signature, publicKey) && verify(null, message, this.#keyOf(publicKey), signature);

  /** Making a key object takes as long as verifying a signature does. */
  #keyOf(publicKey: Uint8Array): KeyObject {
    const { buffer, byteOffset, length } = publicKey;
    const bytes = Buffer.from(buffer, byteOffset, length);
    const id = bytes.toString("latin1");
    let key = this.#keys.get(id);
    if (key === undefined) {
      key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, bytes]), format: "der", type: "spki" });
    } else {
      this.#keys.delete(id);
    }
    this.#keys.set(id, key);
    if (this.#keys.size > this.#most) {
      for (const oldest of this.#keys.keys()) {
        this.#keys.delete(oldest);
        break;
      }
    }
    return key;
  }
}
