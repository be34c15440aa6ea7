// The attestation: a recipient's signed statement of what it delivered for a receipt.
import * as Base58 from "./Base58.js";
import { BadMagicError, InvalidFieldError, MessageLengthError } from "./errors.js";
import * as Signer from "./Signer.js";

/** Binds a result to a receipt of the pay program (`spec/cpi.md`). */
export interface Attestation {
  /** Base58 address of the receipt. */
  readonly receipt: string;
  /** 32 bytes: what was paid for, as the receipt says. */
  readonly requestHash: Uint8Array;
  /** 32 bytes, not all zero: what was delivered. */
  readonly resultHash: Uint8Array;
}

export interface SignedAttestation {
  readonly attestation: Attestation;
  /** Base58 public key: the receipt's recipient. */
  readonly signer: string;
  /** Base58 of 64 bytes. */
  readonly signature: string;
}

/** Bytes of the signed message. */
export const LENGTH = 98;

/** First bytes of the signed message: the tag `R` and the format version. */
export const MAGIC: readonly [number, number] = [0x52, 0x01];

/**
 * The 98 bytes to sign: `0x52 0x01 ‖ receipt (32) ‖ requestHash (32) ‖ resultHash (32)`.
 * @throws {InvalidFieldError} for an address or hash that is none, and for a result hash of zeros.
 */
export function encode(attestation: Attestation): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  bytes.set(MAGIC);
  bytes.set(Base58.decode(attestation.receipt, 32, "receipt"), 2);
  bytes.set(hash(attestation.requestHash, "requestHash"), 34);
  bytes.set(hash(attestation.resultHash, "resultHash"), 66);
  return bytes;
}

/**
 * The attestation in a signed message; the inverse of `encode`.
 * @throws {MessageLengthError} unless there are exactly 98 bytes.
 * @throws {BadMagicError} when they are not an attestation of this version.
 * @throws {InvalidFieldError} for a hash of zeros.
 */
export function decode(bytes: Uint8Array): Attestation {
  if (bytes.length !== LENGTH) throw new MessageLengthError("attestation", LENGTH, bytes.length);
  if (bytes[0] !== MAGIC[0] || bytes[1] !== MAGIC[1]) throw new BadMagicError("attestation");
  return {
    receipt: Base58.encode(bytes.subarray(2, 34)),
    requestHash: hash(bytes.slice(34, 66), "requestHash"),
    resultHash: hash(bytes.slice(66), "resultHash"),
  };
}

/** Has `signer`, the receipt's recipient, sign. Throws as `encode`, and {SignerError}. */
export async function sign(attestation: Attestation, signer: Signer.Signer): Promise<SignedAttestation> {
  const message = encode(attestation);
  const key = Signer.address(signer);
  return { attestation, signer: key, signature: await Signer.sign(signer, message) };
}

/** The program refuses hashes of zeros: they stand for "none". */
function hash(value: unknown, field: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== 32) throw new InvalidFieldError(field, "not 32 bytes");
  if (value.every((byte) => byte === 0)) throw new InvalidFieldError(field, "all zero");
  return value;
}
