// A voucher with its signature, as it travels and as a seller keeps it.
import * as Base58 from "./Base58.js";
import * as Ed25519 from "./Ed25519.js";
import { InvalidFieldError } from "./errors.js";
import { object, own } from "./json.js";
import * as Signer from "./Signer.js";
import * as Voucher from "./Voucher.js";

/** draft-solana-session-00, "Signed Voucher". Having one does not mean that its signature was verified. */
export interface SignedVoucher {
  readonly voucher: Voucher.Voucher;
  /** Base58 public key. */
  readonly signer: string;
  /** Base58 of 64 bytes. */
  readonly signature: string;
  readonly signatureType: "ed25519";
}

/** The same on the wire. */
export interface Json {
  readonly voucher: Voucher.Json;
  readonly signer: string;
  readonly signature: string;
  readonly signatureType: "ed25519";
}

/**
 * Has `signer` sign the voucher's 50 bytes.
 * @throws {InvalidFieldError} for a voucher or key that cannot be encoded.
 * @throws {SignerError} when the signer returns no signature.
 */
export async function sign(input: Voucher.Input, signer: Signer.Signer): Promise<SignedVoucher> {
  const voucher = Voucher.from(input);
  const key = Signer.address(signer);
  const signature = await Signer.sign(signer, Voucher.encode(voucher));
  return { voucher, signer: key, signature, signatureType: "ed25519" };
}

/**
 * A signed voucher from parsed JSON. Reads the draft's key `voucher` and the key `data` of some SDK builds.
 * @throws {InvalidFieldError} also when both keys are there: they could differ.
 */
export function fromJson(value: unknown, path = "signedVoucher"): SignedVoucher {
  const json = object(value, path);
  const [spec, other] = [own(json, "voucher"), own(json, "data")];
  if (spec !== undefined && other !== undefined) throw new InvalidFieldError(path, "has both `voucher` and `data`");
  if (own(json, "signatureType") !== "ed25519") throw new InvalidFieldError(`${path}.signatureType`, 'not "ed25519"');
  return {
    voucher: Voucher.fromJson(spec ?? other, `${path}.voucher`),
    signer: Base58.address(own(json, "signer"), `${path}.signer`),
    signature: Base58.signature(own(json, "signature"), `${path}.signature`),
    signatureType: "ed25519",
  };
}

/** The wire form, always under the draft's key `voucher`. Throws as `Voucher.toJson`. */
export function toJson(signed: SignedVoucher): Json {
  return {
    voucher: Voucher.toJson(signed.voucher),
    signer: Base58.address(signed.signer, "signer"),
    signature: Base58.signature(signed.signature, "signature"),
    signatureType: "ed25519",
  };
}

/**
 * Whether `signed.signer` signed the voucher's 50 bytes, and the chain will agree. Says nothing of who may sign for the
 * channel, of amounts, or of the expiry.
 * @param verifier another implementation of the same check, as one on node:crypto.
 * @throws {InvalidFieldError} for a voucher, key or signature that cannot be encoded.
 */
export function verify(signed: SignedVoucher, verifier: Ed25519.Verifier = Ed25519.verify): boolean {
  return verifier(
    Voucher.encode(signed.voucher),
    Base58.decode(signed.signature, 64, "signature"),
    Base58.decode(signed.signer, 32, "signer"),
  );
}
